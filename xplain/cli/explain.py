"""``xplain explain``: images, texts or recordings in, documents or pictures out.

One input that cannot be explained does not stop the others: it is reported, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import glob
import importlib
import inspect
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from xplain import api
from xplain.cli import streams
from xplain.cli.documents import encode
from xplain.errors import DocumentError, InputError, XplainError
from xplain.explanation import Explanation
from xplain.explanation.notes import all_remarks
from xplain.formatters import loads
from xplain.inputs import files

#: What a line of inputs may hold: the path of a photo, that of a recording, or a text.
_KEYS = ("image", "recording", "text")

Writer = Callable[[str, Explanation], str]  # from a name and an explanation to where it was written


@dataclass(frozen=True, slots=True)
class _Input:
    """One input.

    Parameters
    ----------
    name : str
        What it is called in messages and output files.
    target : object
        As `api.explain` takes it.
    file : str or None
        Where it is read from: an image, or a text if the model is one of texts; ``-`` is standard input.
    text : str or None
        The text itself, where there is no file.
    """

    name: str
    target: Any
    file: str | None = None
    text: str | None = None


def run(arguments: argparse.Namespace) -> int:
    """Explain each input; 1 if some failed."""
    if arguments.json and arguments.output == "-":
        raise InputError("output must be a file or a folder with --json, got -; add -o OUT")
    inputs = _inputs(arguments)
    options = dict(_parse_option(text) for text in arguments.option)
    failed = 0
    has_texts = any(each.text is not None for each in inputs) or bool(arguments.text_file)
    model = load_model(arguments.model or ("sentiment-cnn" if has_texts else "efficientnet-lite0"))
    with _writer(arguments, len(inputs)) as write:
        for each in inputs:
            try:
                explanation = _explain(model, each, options, arguments)
                output = write(each.name, explanation)
                line: dict[str, Any] = {"input": each.name, "status": "successful", "output": output}
                line |= {"label": explanation.predictions[0].name, "score": explanation.predictions[0].score}
                if remarks := all_remarks(explanation):
                    line["notes"] = remarks
                    streams.note(f"note: {each.name}: {'; '.join(remarks)}")
            except XplainError as error:
                failed += 1
                line = {"input": each.name, "status": "failed", "error": str(error)}
                streams.note(f"error: {each.name}: {error}")
            if arguments.json:
                streams.print_json(line)
    if failed and len(inputs) > 1:
        streams.note(f"{failed} of {len(inputs)} inputs failed")
    return 1 if failed else 0


def load_model(name: str) -> Any:
    """Return a pretrained network, or what the factory ``module:function`` returns."""
    from xplain.models import as_model, pretrained

    module, colon, factory = name.partition(":")
    if colon and not (module and factory):
        raise InputError(f"model must be a network's name or MODULE:FACTORY, got {name!r}")
    if not colon:
        return pretrained(name)
    sys.path.insert(0, str(Path.cwd()))  # the user's own module lies where the command is run
    try:
        model = getattr(importlib.import_module(module), factory)()
    except (ImportError, AttributeError, TypeError) as error:
        raise InputError(f"model must be a network's name or MODULE:FACTORY, got {name!r}: {error}") from error
    finally:
        sys.path.pop(0)
    try:
        return as_model(model)
    except InputError as error:
        raise InputError(
            f"model factory {name} must return an xplain model, got {type(model).__name__}: {error}"
        ) from error


@contextmanager
def progress(name: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a callback that shows progress on the terminal after a second; None where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    start = last = time.monotonic()
    is_shown = False

    def show(done: int, total: int) -> None:
        nonlocal last, is_shown
        now = time.monotonic()
        if now - start > 1 and now - last > 0.1:
            last, is_shown = now, True
            sys.stderr.write(f"\r{name}: {done}/{total} evaluations")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if is_shown:
            sys.stderr.write("\r\x1b[K")


def _explain(model: Any, each: _Input, options: dict[str, Any], arguments: argparse.Namespace) -> Explanation:
    with progress(each.name) as show:
        explanation = api.explain(
            model,
            each.text if each.file is None else read_input(each.file, model.task),
            arguments.method,
            each.target,
            seed=arguments.seed,
            batch_size=arguments.batch_size,
            progress=show,
            check=arguments.check,
            **options,
        )
    if not arguments.stamp:
        explanation = replace(explanation, provenance=replace(explanation.provenance, created=None, seconds=None))
    if arguments.keep is None and arguments.threshold is None:
        return explanation
    return explanation.with_masks(arguments.keep, arguments.threshold)


def read_input(file: str, task: str) -> Any:
    """Return a file as `api.explain` takes it: the text for a model of texts, else the file's name or its bytes."""
    if task == "text-classification":
        try:
            return streams.read_bytes(file).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"text must be UTF-8, got other bytes in {file!r}: {error}") from error
    return streams.read_bytes("-") if file == "-" else file


def _inputs(arguments: argparse.Namespace) -> list[_Input]:
    """Return the inputs that the command line names."""
    target = _parse_targets(arguments.target)
    inputs = [each for text in arguments.inputs for each in _inputs_of(text, target)]
    inputs += [_Input("text", target, text=text) for text in arguments.text]
    inputs += [_Input(file, target, file=file) for file in arguments.text_file]
    if not inputs:
        raise InputError("input must be given, got none; name an image, or use --text or --text-file")
    return inputs


def _inputs_of(text: str, target: Any) -> Iterator[_Input]:
    """Yield the inputs that one argument names."""
    if text == "-":
        yield _Input("stdin", target, file="-")
    elif text.lower().removesuffix(".gz").endswith(".jsonl"):
        yield from _inputs_of_lines(text, target)
    elif glob.has_magic(text) and not Path(text).exists():
        names = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - absolute patterns too
        if not names:
            raise InputError(f"input must match at least one file, got {text!r}, which matches none")
        yield from (_Input(name, target, file=name) for name in names)
    elif Path(text).is_dir():
        raise InputError(f"input must be a file, got the folder {text!r}; name its files: '{text}/*.jpg'")
    else:
        yield _Input(text, target, file=text)


def _inputs_of_lines(file: str, target: Any) -> Iterator[_Input]:
    """Yield the inputs of a .jsonl file: a path, or an object with one of `_KEYS`, and maybe ``target``."""
    for number, line in enumerate(streams.read_bytes(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = loads(line)
        except DocumentError as error:
            raise InputError(f"{file}, line {number}, {error.message}") from error
        entry = {"image": value} if isinstance(value, str) else value
        given = [entry.get(key) for key in _KEYS] if isinstance(entry, dict) else []
        if sum(isinstance(string, str) for string in given) != 1:
            raise InputError(
                f'{file}, line {number}, must be a path, {{"image": path}}, {{"recording": path}} or {{"text": text}}, '
                f"got {value!r}"
            )
        image, recording, text = given
        path = image or recording
        yield _Input(path or f"line-{number}", entry.get("target", target), file=path, text=text)


def _parse_targets(texts: list[str] | None) -> Any:
    """Return the targets of the command line: whole numbers are classes, anything else a label."""
    if texts is None:
        return None
    targets = [streams.parse_target(text) for text in texts]
    return targets[0] if len(targets) == 1 else targets


def _parse_option(text: str) -> tuple[str, Any]:
    """Return name and value of an option of the method."""
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"option must be NAME=VALUE, got {text!r}")
    name = name.replace("-", "_")
    if name in inspect.signature(api.explain).parameters:
        raise InputError(f"option must be one of the method, got {name!r}; see xplain explain --help for that")
    return name, streams.parse_value(value)


@contextmanager
def _writer(arguments: argparse.Namespace, count: int) -> Iterator[Writer]:
    """Yield what writes each of ``count`` explanations: to a stream, to one file, or to a file each."""
    output = arguments.output
    if output != "-" and Path(output).suffix.lower() != ".jsonl":
        yield _file_writer(arguments, count)
        return
    if output != "-" and Path(output).exists() and not arguments.force:
        raise InputError(f"output must be a new file, got {output!r}, which exists; --force overwrites it")
    with nullcontext(sys.stdout.buffer) if output == "-" else _open_stream(output, arguments.force) as stream:

        def append(name: str, explanation: Explanation) -> str:
            stream.write(_encode(explanation, ".json", arguments))
            stream.flush()  # a reader need not wait for the next explanation
            return str(output)

        yield append


def _open_stream(output: str, force: bool) -> BinaryIO:
    """Open the file of a stream; one that was made in the meantime is not overwritten either."""
    try:
        return Path(output).open("wb" if force else "xb")
    except OSError as error:
        raise files.refusal("output must be a file that can be written", output, error) from error


def _file_writer(arguments: argparse.Namespace, count: int) -> Writer:
    """Return what writes one file, or a file for each explanation to a folder or by a pattern with ``{name}``."""
    output = arguments.output
    file_each = "{name}" in output or not Path(output).suffix or Path(output).is_dir()
    if not file_each and count > 1:
        raise InputError(
            f"output must be a folder, a .jsonl file, or hold {{name}} for {count} inputs, got {output!r}; "
            "for pictures: -o 'folder/{name}.png'"
        )
    pattern = output if "{name}" in output or not file_each else str(Path(output) / "{name}.json")
    suffix = Path(pattern).suffix.lower()
    if suffix not in (*streams.PICTURES, ".json"):
        raise InputError(f"output must end in .json, .jsonl, {', '.join(streams.PICTURES)}, got {output!r}")
    taken: set[str] = set()

    def write(name: str, explanation: Explanation) -> str:
        path = pattern.replace("{name}", _unique_name(Path(name).stem, taken))
        files.make_folder(Path(path).parent)
        streams.write_bytes(path, _encode(explanation, suffix, arguments), force=arguments.force)
        return path

    return write


def _unique_name(stem: str, taken: set[str]) -> str:
    """Return the stem, with a number if it is taken; stems of dots get a prefix, or they would name another folder."""
    name, number = stem if stem.strip(".") else f"_{stem}", 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name


def _encode(explanation: Explanation, suffix: str, arguments: argparse.Namespace) -> bytes:
    """Return the bytes of a picture or a document."""
    if suffix in streams.PICTURES:
        data: bytes = api.render(explanation).encoded(suffix)
        return data
    return encode(explanation, arguments.format, lossy=arguments.lossy)
