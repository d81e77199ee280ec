import io
import sys
import time

from repro import progress as module
from repro.progress import progress, silent


def test_a_log_gets_a_first_and_a_last_line_and_few_between(capsys, monkeypatch):
    clock = iter([0.0, *(0.1 * k for k in range(1, 401))])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    with progress("nodes") as report:
        for done in range(1, 401):
            report(done, 400)
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert lines[0] == "nodes: 1 of 400, 0 s, 10/s, about 40 s left"
    assert lines[-1] == "nodes: 400 of 400, 40 s, 10/s"
    assert len(lines) == 4  # at 0, 15, 30 and 40 seconds


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("nodes") as report:
        report(3, 10)
        time.sleep(0.01)
        report(6, 10)
        report(10, 10)
    assert "nodes" in terminal.getvalue() and "10/10" in terminal.getvalue() and "/s" in terminal.getvalue()


def test_silence(capsys):
    silent(1, 2)
    assert capsys.readouterr() == ("", "")
