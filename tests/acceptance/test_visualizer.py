"""luigid's page in a real browser: what the person on call sees of a night."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pytest
from program import REPOSITORY, Program, Scheduler, luigid
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from test_luigi import TASK_OF_STEP, held, wait_until, waits_for
from tools import needs
from world import D1, at, document, rejected

T = TypeVar("T")

pytestmark = needs("chromium", "chromedriver")

NAMES = {"ccb.MigrateCCB", *(f"ccb.{name}" for name in TASK_OF_STEP.values())}
PAGE = "/static/visualiser/index.html"
ROW = "#taskTable tbody tr"
DEPENDENCIES = 32
RED, YELLOW, GREEN = "#DD0000", "#EEBB00", "#00DD00"
BREAKER = (
    f"{D1}: 51 of 52 documents were rejected (ausente 51), none was loaded: more than CCB_MAX_REJECTED_SHARE"
)
BREAKER += " allows; see"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Debian's chromium with Debian's driver. It can reach this machine and nothing else."""
    os.environ["SE_OFFLINE"] = "true"
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in (
        "--headless=new",
        "--no-sandbox",  # tests may run as root
        "--disable-dev-shm-usage",
        "--window-size=1500,1000",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    service = webdriver.ChromeService("/usr/bin/chromedriver")
    with webdriver.Chrome(options, service) as found:
        yield found


class Visualizer:
    """The page of one luigid, and what can be read on it."""

    def __init__(self, browser: webdriver.Chrome, scheduler: Scheduler) -> None:
        self.browser, self.url = browser, scheduler.url + PAGE

    def open(self, fragment: str) -> None:
        self.browser.get("about:blank")  # another fragment alone is no other page
        self.browser.get(f"{self.url}#{fragment}")

    def all(self, css: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, css)

    def awaited(self, css: str, number: int) -> list[WebElement]:
        wait_until(lambda: len(self.all(css)) == number, seconds=100)  # a browser on a busy machine
        return self.all(css)

    def shown(self, css: str) -> str:
        """The text that is to appear: windows fade in."""
        wait_until(lambda: any(each.text for each in self.all(css)))
        return next(each.text for each in self.all(css) if each.text)

    def tasks(self) -> dict[str, WebElement]:
        """Task → its row in the list."""
        self.open("length=100")
        wait_until(self.lists_each_once, seconds=100)
        return {row.find_elements(By.TAG_NAME, "td")[1].text: row for row in self.all(ROW)}

    def lists_each_once(self) -> bool:
        """Luigi's page asks for pending tasks, and for those whose upstream failed, at the same time. If the
        answers come in the wrong order it lists a task twice, until somebody loads it again."""
        rows = len(self.all(ROW))
        if rows > len(NAMES):
            self.open("length=100")
        return rows == len(NAMES)

    def states(self) -> dict[str, str]:
        """Task → state, as the list shows them."""
        return steady(lambda: {name: row.text.split()[0] for name, row in self.tasks().items()})

    def pressed(self, name: str, button: str, window: str) -> str:
        """What the window says that the button in the task's row opens."""
        steady(lambda: self.tasks()[name].find_element(By.CSS_SELECTOR, button).click())
        return self.shown(f"{window} pre")

    def graph(self, root: str) -> dict[str, str]:
        """Task → colour in the drawn graph; every line of it is drawn."""
        self.open(f"tab=graph&taskId={root}")
        return steady(self.drawn)

    def drawn(self) -> dict[str, str]:
        """The same, of the page as it is."""
        nodes = self.awaited("#graphPlaceholder svg g[transform]", len(NAMES))
        colour_of = {
            node.find_element(By.TAG_NAME, "text").text: node.find_element(By.TAG_NAME, "circle")
            for node in nodes
        }
        assert len(self.all("#graphPlaceholder svg line")) == DEPENDENCIES
        return {name: str(circle.get_attribute("fill")) for name, circle in colour_of.items()}

    def foreign_hosts(self) -> set[str]:
        """Whom else the page asked for something."""
        script = "return performance.getEntriesByType('resource').map(e => e.name)"
        asked = self.browser.execute_script(script)
        assert len(asked) > 20
        return {str(urlsplit(address).hostname) for address in asked} - {"127.0.0.1"}


def steady(look: Callable[[], T]) -> T:
    """What is seen when the page doesn't draw itself anew in the middle of the look."""
    for _ in range(9):
        with suppress(StaleElementReferenceException):
            return look()
    return look()


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Scheduler]:
    """It lets a failed task be seen for longer than ten seconds: then it would be tried again."""
    ours, patient = (REPOSITORY / "luigi.cfg").read_text(), tmp_path / "luigi.cfg"
    assert "\nretry_delay = 10\n" in ours
    patient.write_text(ours.replace("\nretry_delay = 10\n", "\nretry_delay = 600\n"))
    with luigid(tmp_path / "luigid", patient) as found:
        yield found


@pytest.fixture
def page(browser: webdriver.Chrome, scheduler: Scheduler) -> Visualizer:
    return Visualizer(browser, scheduler)


def test_a_failed_date_is_red_with_its_reason_and_all_green_once_it_is_mended(
    program: Program, scheduler: Scheduler, page: Visualizer
) -> None:
    contracts = [document(f"m{n}", f"A{n}", at(D1)) for n in range(52)]
    program.world.put(contracts[0], *map(rejected, contracts[1:]))
    process = program.start("run", "--date", D1, CCB_SCHEDULER_URL=scheduler.url)
    wait_until(lambda: "FAILED" in scheduler.statuses().values())
    process.send_signal(signal.SIGINT)  # it would try again, and again, and be held back
    process.communicate(timeout=60)
    (root,) = [name for name in scheduler.statuses() if name.startswith("ccb.MigrateCCB_")]

    failed = "ccb.ExtractContratos"
    waiting = dict.fromkeys(NAMES - {failed}, "UPSTREAM_FAILED")
    assert page.states() == {failed: "FAILED", **waiting}
    assert page.pressed(failed, ".showError", "#errorModal").startswith(BREAKER)
    assert page.pressed(failed, ".statusMessage", "#statusMessageModal").startswith(f"failed: {BREAKER}")
    assert page.graph(root) == {failed: RED, **dict.fromkeys(waiting, YELLOW)}

    program.world.put(*contracts)
    program.run("run", "--date", D1, CCB_SCHEDULER_URL=scheduler.url)
    assert page.states() == dict.fromkeys(NAMES, "DONE")
    assert page.pressed(failed, ".statusMessage", "#statusMessageModal") == "52 documents read, 0 quarantined"
    wait_until(lambda: page.shown("#statusMessageModal .progress-bar") == "100%")
    assert page.graph(root) == dict.fromkeys(NAMES, GREEN)
    # It asks for a typeface, and does without.
    assert page.foreign_hosts() <= {"fonts.googleapis.com"}


def test_a_task_at_work_shows_what_it_does_and_how_far_it_is(
    program: Program, scheduler: Scheduler, page: Visualizer
) -> None:
    program.world.put(document("a", "A", at(D1)))
    process = program.start("run", "--date", D1, "--workers", 1, CCB_SCHEDULER_URL=scheduler.url)
    with held(program.world, "parcelas"):
        wait_until(lambda: waits_for(program.world, "parcelas"))
        said = page.pressed("ccb.LoadParcelas", ".statusMessage", "#statusMessageModal")
        assert said == "compares 3 staged rows with the table"
        wait_until(lambda: page.shown("#statusMessageModal .progress-bar") == "20%")
    process.communicate(timeout=60)
    assert page.states() == dict.fromkeys(NAMES, "DONE")
    tasks = scheduler.ask("task_list", status="DONE")
    progress = {
        task["name"]: scheduler.ask("get_task_progress_percentage", task_id=task_id)["progressPercentage"]
        for task_id, task in tasks.items()
    }
    assert progress == dict.fromkeys(NAMES, 100)
