"""Write everything that xplain shows and says of known inputs, with digests, to compare before and after a change.

Not a test: a change that is meant to keep every byte is checked by hand.

    python tests/snapshot.py before
    (change something)
    python tests/snapshot.py after --compare before

The files come from the golden documents (each in every format, kind of picture and file, each way to break it), from
``xplain demo``, from every method on small models, and from the README's examples. ``digests.txt`` names them all;
``--compare`` prints those that differ and exits with 1 if there are any. ``--quick`` leaves the models out.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

import xplain
from tests.formatters import golden
from xplain.cli import main as command

ROOT = Path(__file__).parents[1]
KINDS = (
    *("overlay", "heatmap", "mask", "contour", "regions", "bars", "side-by-side"),
    *("text", "signal", "progress", "accuracy", "matrix", "page"),
)
STYLES: tuple[dict[str, Any], ...] = (
    {},
    *({"kind": kind} for kind in KINDS),
    {"target": 0},
    {"cmap": "viridis"},
    {"cmap": "PuOr"},
    {"scale": "max"},
    {"scale": 0.25},
    {"alpha": 0.3},
)
SUFFIXES = (".png", ".html", ".svg", ".txt")
PASSING = re.compile(r'("(?:created|seconds)": ?)[^,}]+')  # differs from run to run


class Folder:
    """Where files are written, and the digest of each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.digests: dict[str, str] = {}

    def write(self, name: str, data: bytes | str) -> None:
        """Write a file and remember its digest."""
        data = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.digests[name] = hashlib.sha256(data).hexdigest()

    def attempt(self, name: str, make: Callable[[], bytes | str]) -> None:
        """Write what a function makes, or the words with which it refuses or fails."""
        try:
            data = make()
        except Exception as error:
            name, data = f"{name}.refused", f"{type(error).__name__}: {error}\n"
        self.write(name, data)


def documents(out: Folder) -> None:
    """Write each golden document in every format, and what is said of it."""
    for path in golden.GOLDEN:
        document, name = golden.read(path), f"documents/{path.parent.name}/{path.stem}"
        value = xplain.from_document(document)
        for format in xplain.formats():
            out.attempt(f"{name}.{format}.json", lambda v=value, f=format: dumped(xplain.to_document(v, f)))
            out.attempt(
                f"{name}.{format}.lossy.json", lambda v=value, f=format: dumped(xplain.to_document(v, f, lossy=True))
            )
        for words in (["info"], ["info", "--json"], ["validate", "--json"], ["formats"], ["render"]):
            printed = said(*words, str(path)).replace(str(path), "FILE")
            out.write(f"{name}.{'-'.join(words)}.txt", printed)
        out.write(f"{name}.problems.txt", "".join(problems(document, path.parent.name)))
        pictures(out, f"pictures/{path.parent.name}/{path.stem}", value)


def problems(document: Any, format: str) -> Iterator[str]:
    """Yield what is said of a document with each of its fields broken or missing."""
    for keys in golden.places(document):
        for change in (golden.broken, golden.deleted):
            found = xplain.validate(change(document, keys), format)
            yield f"{change.__name__} {golden.path(keys)}\n" + "".join(f"    {problem}\n" for problem in found)


def pictures(out: Folder, name: str, value: Any) -> None:
    """Draw a value in every style, as every kind of file."""
    for style in STYLES:
        named = "-".join(f"{key}-{value}" for key, value in style.items()) or "plain"
        for image in (None, *photos(value)):
            full = f"{name}/{named}{'' if image is None else '-photo'}"
            try:
                picture = xplain.render(value, image, **style)
            except Exception as error:
                out.write(f"{full}.refused", f"{type(error).__name__}: {error}\n")
                continue
            for suffix in SUFFIXES:
                out.attempt(full + suffix, lambda p=picture, s=suffix: p.encoded(s))
            if hasattr(picture, "ansi"):
                out.attempt(f"{full}.ansi", lambda p=picture: p.ansi(color=True))


def photos(value: Any) -> Iterator[Image.Image]:
    """Yield a photo of the size of what is explained, if that is one photo of known size."""
    from skimage.data import chelsea

    source = getattr(value, "source", None)
    if source is not None and source.kind == "image" and source.width and source.height and source.width < 4000:
        yield Image.fromarray(chelsea()).resize((source.width, source.height))


def shell(out: Folder) -> None:
    """Write the help of every command, and the tables."""
    commands = ("explain", "compare", "render", "convert", "validate", "info", "methods", "formats", "schema", "demo")
    out.write("shell/help.txt", said("--help"))
    for name in commands:
        out.write(f"shell/{name}.txt", said(name, "--help"))
    for words in (["methods"], ["methods", "--json"], ["formats"], ["schema"]):
        out.write(f"shell/{'-'.join(words)}.out.txt", said(*words))


def said(*words: str) -> str:
    """Return what a command prints, and its exit status."""
    printed, noted = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(noted):
        try:
            status = command(words)
        except SystemExit as error:
            status = error.code
    return f"{printed.getvalue()}\n{noted.getvalue()}\nexit {status}\n"


def dumped(document: Any) -> str:
    """Return a document as text that does not change from run to run."""
    return PASSING.sub(r"\1null", json.dumps(document, indent=1, ensure_ascii=False))


def demo(out: Folder) -> None:
    """Write the demo's files."""
    folder = out.path / "demo"
    said("demo", "-o", str(folder), "--force")
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        out.write(f"demo/{path.name}", PASSING.sub(r"\1null", data.decode()) if path.suffix == ".json" else data)


def methods(out: Folder) -> None:
    """Explain small inputs by every method that can."""
    from skimage.data import chelsea

    network = xplain.pretrained("efficientnet-lite0")
    photo = chelsea()[40:232, 100:324]
    bound = {"n_steps": 4, "n_samples": 8}
    for model, source in ((network, photo), (xplain.pretrained("sentiment-cnn"), REVIEW), *black_boxes()):
        kind = type(model).__name__ + ("" if model is network else "-small" if isinstance(source, np.ndarray) else "")
        out.write(f"methods/{kind}/refusals.json", dumped(dict(xplain.refusals(model))))
        for name in xplain.methods(model):
            try:
                e = explained(model, source, name, bound)
            except Exception as error:
                out.write(f"methods/{kind}/{name}.refused", f"{type(error).__name__}: {error}\n")
                continue
            out.write(f"methods/{kind}/{name}.json", dumped(xplain.to_document(e)))
            out.write(f"methods/{kind}/{name}.png", xplain.render(e).encoded(".png"))


def explained(model: Any, source: Any, method: str, bound: dict[str, int]) -> xplain.Explanation:
    """Explain with few evaluations, as far as the method lets itself be bounded."""
    for options in (bound, *({name: value} for name, value in bound.items()), {}):
        try:
            return xplain.explain(model, source, method, **options)
        except xplain.UnknownNameError:
            continue
    raise AssertionError(method)


def black_boxes() -> Iterator[tuple[Any, Any]]:
    """Yield a small model of each kind and something to explain."""
    noise = np.random.default_rng(0)
    photo = noise.integers(0, 255, (48, 64, 3), np.uint8)

    def redness(images: Any) -> Any:
        red = images[..., 0].mean(axis=(1, 2)) / 255
        return np.stack([red, 1 - red], axis=1)

    def red_map(images: Any) -> Any:
        red = images[..., 0].astype(float) / 255
        return np.stack([red - 0.5, 0.5 - red], axis=1)

    def boxes(images: Any) -> Any:
        score = images[:, 8:24, 8:24, 0].mean(axis=(1, 2)) / 255
        return [{"boxes": np.array([[8.0, 8, 24, 24]]), "labels": ["thing"], "scores": [one]} for one in score]

    def motion(windows: Any) -> Any:
        moved = windows.std(axis=2).mean(axis=1)
        return np.stack([1 - moved, moved], axis=1)

    yield xplain.ImageClassifier(redness, labels=["red", "other"], output="probability"), photo
    yield xplain.Segmenter(red_map, labels=["red", "other"]), photo
    yield xplain.Detector(boxes), photo
    recording = noise.normal(size=(2, 300)).astype(np.float32)
    yield xplain.SignalClassifier(motion, ["idle", "move"], sample_rate_hz=50, window=100, stride=50), recording


REVIEW = "The film was not good, but the music saved it."


def readme(out: Folder) -> None:
    """Run the README's examples in Python and keep what they write."""
    from skimage.data import chelsea

    code = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    folder = out.path / "readme"
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as printed:
        Image.fromarray(chelsea()).save("cat.jpg")
        names: dict[str, object] = {}
        for block in code:
            exec(compile(block, "README.md", "exec"), names)
    out.write("readme/printed.txt", printed.getvalue())
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        out.write(f"readme/{path.name}", PASSING.sub(r"\1null", data.decode()) if path.suffix == ".json" else data)


def compare(before: Path, after: Path) -> int:
    """Print the files that differ; return how many."""
    old, new = (
        dict(line.split("  ", 1)[::-1] for line in (folder / "digests.txt").read_text("utf-8").splitlines())
        for folder in (before, after)
    )
    differing = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    for name in differing:
        print("added" if name not in old else "gone" if name not in new else "changed", name)
    print(f"{len(differing)} of {len(new)} files differ")
    return len(differing)


def main() -> int:
    """Write the files; compare them if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write")
    parser.add_argument("--compare", type=Path, metavar="BEFORE", help="folder that was written before the change")
    parser.add_argument("--quick", action="store_true", help="only what needs no model")
    arguments = parser.parse_args()
    out = Folder(arguments.folder)
    for write in (shell, documents) if arguments.quick else (shell, documents, demo, methods, readme):
        write(out)
    lines = (f"{digest}  {name}\n" for name, digest in sorted(out.digests.items()))
    (arguments.folder / "digests.txt").write_text("".join(lines), encoding="utf-8")
    if arguments.compare is None:
        print(f"{len(out.digests)} files in {arguments.folder}")
        return 0
    return 1 if compare(arguments.compare, arguments.folder) else 0


if __name__ == "__main__":
    sys.exit(main())
