"""What a person sees when a process of a run is killed."""

from __future__ import annotations

from contextlib import suppress

import psutil
from program import Program
from test_luigi import assert_migrated_once, held, wait_until, waits_for
from world import D1, STEPS, at, document, rejected


def alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def test_a_killed_worker_is_told_in_one_line_with_its_step_and_the_same_command_goes_on(
    program: Program,
) -> None:
    world = program.world
    world.put(document("a", "A", at(D1)), rejected(document("b", "B", at(D1))))
    process = program.start("run", "--date", D1, "--workers", 2)
    with held(world, "parcelas"):
        wait_until(lambda: waits_for(world, "parcelas"))
        others = {*STEPS} - {"parcelas", "reconciliacoes"}
        wait_until(lambda: others <= world.markers(D1).keys())
        workers = psutil.Process(process.pid).children()
        wait_until(lambda: len([*filter(alive, workers)]) == 1)
        for worker in psutil.Process(process.pid).children():
            worker.kill()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 10, out + err
    (line,) = [line for line in (out + err).splitlines() if "killed" in line]
    assert "parcelas" in line
    assert str(D1) in line
    assert "parcelas" not in world.markers(D1)
    program.run("run", "--date", D1)
    assert_migrated_once(world)
