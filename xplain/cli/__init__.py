"""The ``xplain`` command: its arguments, its exit status, and how it fails.

Data goes to standard output and everything else to standard error. The exit status is 0 if all is well, 1 if some
inputs failed, 2 for wrong usage or a bad document, and 130 after Ctrl-C. A file is never overwritten without
``--force``. Sub-commands are functions of other modules, named in strings and imported when they are called, so that
``xplain --help`` waits for no other package.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from xplain import __version__
from xplain.cli import streams
from xplain.errors import XplainError

__all__ = ["main"]

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process if left out.

    Returns
    -------
    int
        The exit status.
    """
    if not _prepare_streams():
        return 2
    arguments = _parser().parse_args(argv)
    module, _, function = arguments.run.partition(":")
    try:
        status: int = getattr(importlib.import_module(module), function)(arguments)
        sys.stdout.flush()
        return status
    except XplainError as error:
        streams.note(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        print("xplain: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has gone, as in `xplain ... | head`
        _discard_output()
        return 0
    except OSError as error:  # a full disk, say; what is wrong with a named file was an XplainError
        _discard_output()
        streams.note(f"error: input and output must be files that can be used, got {error}")
        return 2


def _prepare_streams() -> bool:
    """Have the standard streams escape what they cannot encode; False if there is no standard output."""
    if sys.stderr is None:  # closed by the caller
        sys.stderr = io.StringIO()  # else messages would go to standard output
    if sys.stdout is None:
        streams.note("error: standard output must be open, got a closed one; use > /dev/null to ignore it")
        return False
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    return True


def _discard_output() -> None:
    """Discard the buffer of standard output: Python would fail once more to write it at exit."""
    with suppress(io.UnsupportedOperation):  # a stream in memory has no file number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xplain",
        description="Explain predictions of models, keep the explanations as documents, and draw them.",
        epilog="Run 'xplain COMMAND --help' for a command's options.",
    )
    parser.add_argument("--version", action="version", version=f"xplain {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_explain(commands)
    _add_compare(commands)
    _add_render(commands)
    _add_convert(commands)
    _add_validate(commands)
    _add_tables(commands)
    _add_demo(commands)
    return parser


def _command(commands: _Commands, name: str, run: str, help: str, epilog: str = "") -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=help[0].upper() + help[1:] + ".", epilog=epilog
    )
    parser.set_defaults(run=run)
    return parser


def _add_explain(commands: _Commands) -> None:
    parser = _command(
        commands,
        "explain",
        "xplain.cli.explain:run",
        "explain a model's prediction for images, texts or recordings",
        "Example: xplain explain cat.jpg --method grad-cam -o cat.png",
    )
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="file of an image or a recording, glob, - for standard input, or .jsonl file with a path, "
        '{"image": path, "target": ...}, {"recording": ...} or {"text": ...} a line',
    )
    parser.add_argument("--text", action="append", default=[], metavar="TEXT", help="text to explain; may be repeated")
    parser.add_argument(
        "--text-file", action="append", default=[], metavar="FILE", help="file with a text to explain; may be repeated"
    )
    parser.add_argument(
        "--model",
        help="pretrained network, or MODULE:FACTORY, a Python function that returns an xplain model "
        "(default: efficientnet-lite0 for images, sentiment-cnn for texts)",
    )
    parser.add_argument("--method", help="attribution method, see 'xplain methods' (default: the best for the model)")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of the method, its value as JSON; may be repeated",
    )
    parser.add_argument(
        "--target",
        action="append",
        metavar="T",
        help="class number, label, top-K or 'LABEL - LABEL' (what speaks for the first rather than the second); may be "
        "repeated (default: the predicted class)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of random numbers (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, metavar="N", help="inputs in one call of the model (default: chosen)")
    parser.add_argument(
        "--no-check",
        dest="check",
        action="store_false",
        help="do not check that the model scores an input alike twice and beside others (check=False)",
    )
    _add_masks(parser)
    parser.add_argument(
        "--stamp", action="store_true", help="record the time and duration, so that two runs differ in their documents"
    )
    parser.add_argument(
        "-o",
        "--output",
        default="-",
        metavar="OUT",
        help="document (.json, .jsonl), picture (.png, .html, .svg, .txt), folder for several inputs, or - (default)",
    )
    parser.add_argument(
        "--format", default="native", help="document format, see 'xplain formats' (default: %(default)s)"
    )
    parser.add_argument("--lossy", action="store_true", help="drop what the format cannot hold")
    _add_force(parser)
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each input")


def _add_compare(commands: _Commands) -> None:
    parser = _command(
        commands,
        "compare",
        "xplain.cli.compare:run",
        "draw what several methods say of one prediction, with measures of each beside controls that know no model",
        "Example: xplain compare cat.jpg --methods saliency,grad-cam -o cat.html",
    )
    parser.add_argument("input", metavar="INPUT", help="image file, or - for standard input")
    parser.add_argument("--methods", required=True, metavar="A,B,...", help="attribution methods, see 'xplain methods'")
    parser.add_argument(
        "--model",
        default="efficientnet-lite0",
        help="pretrained network, or MODULE:FACTORY, a Python function that returns an xplain model "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME.OPTION=VALUE",
        help="option of a method, or knob of a measure, its value as JSON; may be repeated",
    )
    parser.add_argument("--target", metavar="T", help="class number or label (default: the predicted class)")
    parser.add_argument(
        "--measures",
        default="deletion,insertion,sparseness",
        metavar="A,B,...",
        help="of deletion, insertion, infidelity, sparseness, max-sensitivity, randomisation, shapley "
        "(default: %(default)s)",
    )
    parser.add_argument("--box", metavar="X0,Y0,X1,Y1", help="where the thing to find is, in pixels: adds localisation")
    parser.add_argument("--mask", metavar="FILE", help="the same as an image that is not black there")
    parser.add_argument("--seed", type=int, default=0, help="seed of random numbers (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, metavar="N", help="inputs in one call of the model (default: chosen)")
    parser.add_argument(
        "--no-time", dest="time", action="store_false", help="leave out seconds, so that two runs give the same bytes"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="page or picture (.html, .png, .svg, .txt), or - for a PNG on standard output (default: the table)",
    )
    _add_force(parser)
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each method")


def _add_render(commands: _Commands) -> None:
    parser = _command(
        commands,
        "render",
        "xplain.cli.documents:render",
        "draw saved explanations; needs neither the model nor torch",
        "Example: xplain render cat.json --image cat.jpg -o cat.png",
    )
    parser.add_argument(
        "documents", nargs="+", metavar="DOCUMENT", help="document, .jsonl file, or - for standard input"
    )
    parser.add_argument(
        "--image",
        help="the photo that was explained; for the page of a job, a folder of photos that are named as its items",
    )
    parser.add_argument("--text", help="the text that was explained, for a document that does not hold it")
    parser.add_argument("--signal", metavar="FILE", help="the recording that was explained (.csv, .npy, .wav...)")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="picture (.png, .html, .svg, .txt), or - for a PNG on standard output (default: words on the terminal)",
    )
    parser.add_argument("--from", dest="format", help="format of the document (default: recognised)")
    parser.add_argument(
        "--kind",
        help="overlay, heatmap, mask, contour, regions, bars or side-by-side; for texts: text or bars; for signals: "
        "signal or bars; for jobs: also progress, accuracy, matrix or page (default: what suits; for a job "
        "as .html, page)",
    )
    parser.add_argument("--target", help="which attribution: its number, or the label that it explains")
    parser.add_argument("--cmap", help="colour map")
    parser.add_argument("--scale", help="score at full colour: a number, 'max' or 'robust'")
    parser.add_argument("--alpha", type=float, help="opacity of the evidence, 0 to 1")
    _add_force(parser)


def _add_convert(commands: _Commands) -> None:
    parser = _command(
        commands,
        "convert",
        "xplain.cli.documents:convert",
        "write a document in another format, or several explanations as a job",
        "Example: xplain convert cat.json dog.json --to modzy --job -o job.json",
    )
    parser.add_argument("documents", nargs="+", metavar="DOCUMENT", help="document, or - for standard input")
    parser.add_argument("--to", required=True, help="format wanted, see 'xplain formats'")
    parser.add_argument("--from", dest="format", help="format of the documents (default: recognised)")
    parser.add_argument(
        "--job",
        action="store_true",
        help="write explanations as one job, whose items are named as their files without the ending (modzy, "
        "edge-impulse, cognite, native)",
    )
    parser.add_argument("--job-id", metavar="ID", help="name of the job (default: 1)")
    _add_masks(parser)
    parser.add_argument("--lossy", action="store_true", help="drop what the format cannot hold")
    parser.add_argument("-o", "--output", default="-", metavar="OUT", help="file, or - for standard output (default)")
    _add_force(parser)


def _add_validate(commands: _Commands) -> None:
    parser = _command(
        commands, "validate", "xplain.cli.documents:validate", "print every problem of documents, with its place"
    )
    parser.add_argument("documents", nargs="+", metavar="DOCUMENT", help="document, or - for standard input")
    parser.add_argument("--from", dest="format", help="format to follow (default: recognised)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each document")


def _add_tables(commands: _Commands) -> None:
    info = _command(
        commands, "info", "xplain.cli.tables:info", "describe a document, or what is installed if none is given"
    )
    info.add_argument("document", nargs="?", metavar="DOCUMENT", help="document, or - for standard input")
    info.add_argument("--json", action="store_true", help="print JSON")
    methods = _command(
        commands,
        "methods",
        "xplain.cli.tables:methods",
        "list the attribution methods, describe one, or say which can explain a model, and why the others cannot",
        "Example: xplain methods integrated-gradients",
    )
    methods.add_argument("name", nargs="?", metavar="NAME", help="a method, or captum:Class, to describe")
    methods.add_argument("--model", help="network, or MODULE:FACTORY of your own")
    methods.add_argument("--input", metavar="FILE", help="image or text to try the methods on (default: noise)")
    methods.add_argument("--json", action="store_true", help="print JSON")
    formats = _command(
        commands,
        "formats",
        "xplain.cli.tables:formats",
        "list the document formats, or what becomes of documents in each: equal, lossy (and what is lost) or refused",
        "Example: xplain formats results.json",
    )
    formats.add_argument("documents", nargs="*", metavar="DOCUMENT", help="document, or - for standard input")
    formats.add_argument("--json", action="store_true", help="print JSON")
    schema = _command(commands, "schema", "xplain.cli.tables:schema", "print the JSON Schema of a format")
    schema.add_argument("format", nargs="?", default="native", metavar="FORMAT", help="default: %(default)s")


def _add_demo(commands: _Commands) -> None:
    parser = _command(
        commands,
        "demo",
        "xplain.cli.demo:run",
        "explain a real photo and a real text, and write it all to a folder",
    )
    parser.add_argument("-o", "--output", default="demo-output", metavar="FOLDER", help="default: %(default)s")
    _add_force(parser)


def _add_masks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep", type=float, metavar="F", help="turn heat maps into masks of this fraction of the pixels"
    )
    parser.add_argument("--threshold", type=float, metavar="S", help="turn heat maps into masks of scores from S up")


def _add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--force", action="store_true", help="overwrite existing files")
