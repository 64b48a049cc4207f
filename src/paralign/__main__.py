"""The command ``paralign``. Errors become exit codes only here."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import Any

__all__ = ["main", "run"]

_CLOSED_PIPE = 141
"""Exit code of a process that SIGPIPE ends."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit code. 0 success; 1 an error in paralign; 2 wrong input or settings (one line on standard error, no
        traceback); 3 problems in text (``corpus check``); 130 or 143 stopped by Ctrl-C or SIGTERM, after a checkpoint
        was saved; 141 the reader of the output closed the pipe (``paralign list recipes | head -1``).
    """
    from paralign.cli import program
    from paralign.errors import Stopped, UserError

    arguments = sys.argv[1:] if arguments is None else arguments
    if _has_other_processes():
        # Before torch is imported: DistributedDataParallel advises against looking for weights that a step does not
        # reach, which some objectives need.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    # Names of files are recorded in files in UTF-8; os.fsdecode turns other bytes into lone surrogates.
    foreign = next((text for text in arguments if not _is_utf8(text)), None)
    if foreign is not None:
        shown = foreign.encode("utf-8", "backslashreplace").decode()
        return _fail(f"{shown}: not valid UTF-8 (rename the file)")
    try:
        code = program(args=arguments, prog_name="paralign", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()  # a closed pipe or a full disk is noticed here, not when the interpreter exits
        if code == 130:  # typer returns this code after Ctrl-C
            return _fail("stopped", code)
        return code if isinstance(code, int) else 0
    except UserError as error:
        return _fail(str(error))
    except Stopped as stopped:
        return _fail(str(stopped), stopped.code)
    except KeyboardInterrupt:
        return _fail("stopped", 130)
    except BrokenPipeError:
        return _CLOSED_PIPE
    except SystemExit as error:
        if type(sys.stdout).__name__ == "PacifyFlushWrapper":  # typer's answer to a closed pipe
            return _CLOSED_PIPE
        raise error
    except Exception as error:
        kind = type(error).__name__
        if kind == "NoArgsIsHelpError":
            print(error)
            return 2
        if hasattr(error, "format_message"):  # an error of typer: an unknown option or command
            return _fail(_usage_error(error))
        if kind == "Abort":
            return _fail("stopped", 130)
        return _crash(error)


def _usage_error(error: Any) -> str:
    """Return the message about an unknown option or command, a missing or a wrong value."""
    from paralign.cli.help import hint_for

    option = getattr(error, "option_name", None)
    hint = hint_for(option, error.ctx.command) if isinstance(option, str) and error.ctx else None
    if hint is not None:
        return f"no such option: {option} (use {hint})"
    message = " ".join(error.format_message().split()).replace("Value error, ", "")
    message = message.replace("Input should be ", "must be ").replace(
        "valid integer, unable to parse string as an integer", "whole number"
    )
    group: Any = getattr(error.ctx, "command", None)
    if message.startswith("No such command") and "?" not in message and hasattr(group, "list_commands"):
        message = message.removesuffix(".") + f" (commands: {', '.join(group.list_commands(error.ctx))})"
    return message


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fail(text: str, code: int = 2) -> int:
    from paralign.console import printable

    print(f"paralign: {printable(text)}", file=sys.stderr)
    return code


def _crash(error: Exception) -> int:
    from paralign.errors import outside_error

    outside = outside_error(error)
    if outside is not None:
        return _fail(str(outside))
    traceback.print_exc()
    return _fail("this is an error in paralign; please report it with the lines above", 1)


def run() -> None:
    """Entry point of the installed command."""
    received = []

    def terminate(signum: int, frame: object) -> None:
        received.append(signum)
        raise KeyboardInterrupt  # as Ctrl-C: a suite writes its page, nothing is half-written

    # torchrun must be able to end a process that waits for the others.
    if not _has_other_processes() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminate)
    try:
        code = main()
        sys.exit(143 if received and code == 130 else code)
    finally:
        _discard_unwritten()


def _has_other_processes() -> bool:
    """Return whether torchrun or accelerate started this process with others (``device.py`` imports torch)."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def _discard_unwritten() -> None:
    """Discard output that cannot be written; otherwise the interpreter tries again, and exits with 120."""
    for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    run()
