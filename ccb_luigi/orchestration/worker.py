"""Luigi's worker, with a way for results that a killed task process can't block, and fewer questions.

Luigi's own way is a ``multiprocessing.Queue``: a task process that is killed while it holds the queue's lock
takes it to its grave, and every later one waits for it at its end, for ever. And it asks for each of a task's
dependencies by itself whether it is complete: 60 ms before each proof. And for a task that only requires
others it forks a process, which connects to PostgreSQL to find nothing to do: 30 ms at each run's end.
"""

from __future__ import annotations

import multiprocessing
import queue
from multiprocessing.context import ForkProcess
from typing import Any

import luigi
from luigi.interface import _WorkerSchedulerFactory
from luigi.worker import TaskProcess
from luigi.worker import Worker as LuigiWorker

from ccb_luigi.orchestration.luigid import LONGEST_PATIENCE, Luigid
from ccb_luigi.orchestration.targets import marked

LONGEST_EXPLANATION = 500
MOST_MISSING = 10
"""So that a result fits into one atomic write to a pipe (4,096 bytes), which needs no lock."""

Result = tuple[str, str, Any, list[str], list[Any]]
"""What Luigi's task process puts: task id, status, explanation, missing dependencies, new ones."""


class Results:
    """As much of a queue as Luigi's worker and its task processes use."""

    def __init__(self) -> None:
        self._reader, self._writer = multiprocessing.Pipe(duplex=False)

    def put(self, result: Result) -> None:
        """Sends the result, its texts cut to what fits."""
        task_id, status, explanation, missing, new_dependencies = result
        if explanation is not None:
            explanation = str(explanation)[:LONGEST_EXPLANATION]
        self._writer.send((task_id, status, explanation, missing[:MOST_MISSING], new_dependencies))

    def get(self, timeout: float) -> Result:
        """The next result.

        Raises:
            queue.Empty: there was none for ``timeout`` seconds.
        """
        if not self._reader.poll(timeout):
            raise queue.Empty
        result: Result = self._reader.recv()
        return result

    def close(self) -> None:
        """Nothing is put or got any more. Task processes that are still there keep their own ends."""
        self._reader.close()
        self._writer.close()


def fork_tasks() -> None:
    """Luigi forks its task processes, whatever Python's default is (since 3.14 a server starts them).

    What they need of this process (the pipe of its events, its logging, its settings) is inherited and
    can't be pickled. Luigi's own class is told, since ``luigi --module`` takes Luigi's own worker; the
    default of multiprocessing, which other libraries may use, stays as it is.
    """
    TaskProcess._Popen = staticmethod(ForkProcess._Popen)  # type: ignore[assignment]


class Completeness:
    """Whether a task is complete, and what it depends on: of the latter the markers are looked up at once."""

    def __init__(self, task: luigi.Task) -> None:
        self._task = task
        self._marked: set[str] | None = None

    def __call__(self, asked: luigi.Task) -> bool:
        """Of a dependency "yes" is as old as the first question; whatever else is asked anew."""
        if asked is self._task:
            return bool(asked.complete())
        if self._marked is None:
            self._marked = marked(self._task.deps())
        return asked.task_id in self._marked or bool(asked.complete())


class Worker(LuigiWorker):
    """Luigi's worker with ``Results`` and ``Completeness``, and no processes for tasks that do nothing."""

    _task_result_queue: Any

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._task_result_queue.close()
        self._task_result_queue = Results()

    def _create_task_process(self, task: luigi.Task) -> TaskProcess:
        process: TaskProcess = super()._create_task_process(task)
        process.check_complete = Completeness(task)  # type: ignore[assignment]  # it is only called
        if isinstance(task, luigi.WrapperTask) and process.timeout_time is None:
            process.use_multiprocessing = False
        return process


class WorkerFactory(_WorkerSchedulerFactory):
    """What ``luigi.build`` makes its worker with; ``patience``: seconds for which luigid may be silent."""

    def __init__(self, patience: float = LONGEST_PATIENCE) -> None:
        self._patience = patience
        self._luigid: Luigid | None = None

    @property
    def lost(self) -> bool:
        """Whether luigid stopped answering."""
        return self._luigid is not None and self._luigid.lost

    def create_remote_scheduler(self, url: str) -> Luigid:
        """Luigid, as long as it answers."""
        self._luigid = Luigid(url, self._patience)
        return self._luigid

    def create_worker(self, scheduler: Any, worker_processes: int, assistant: bool = False) -> Worker:
        """One worker of ``worker_processes`` processes."""
        return Worker(scheduler=scheduler, worker_processes=worker_processes, assistant=assistant)
