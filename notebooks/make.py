"""Make the README's pictures and its table of methods, and execute the notebooks in place.

python notebooks/make.py
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

import xplain
import xplain.renderers
from xplain.attributions import METHODS

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
PICTURES = HERE / "pictures"
REVIEW = "The film was not good, but the music saved it."


def draw() -> None:
    """Draw the pictures that the README shows."""
    from skimage.data import chelsea

    PICTURES.mkdir(exist_ok=True)
    network, photo = xplain.pretrained("efficientnet-lite0"), chelsea()[:, 60:390]
    methods = ("grad-cam", "integrated-gradients", "occlusion", "rise")
    explained = [xplain.explain(network, photo, method) for method in methods]
    save(xplain.render(explained[0]), "cat.png")
    save(xplain.render(explained, shared=False, columns=2), "methods.png")
    review = xplain.explain(xplain.pretrained("sentiment-cnn"), REVIEW, "shapley")
    save(xplain.render(review), "review.png")


def draw_examples(*names: str) -> None:
    """Run the README's examples in Python and keep some of the pictures that they save."""
    from skimage.data import chelsea

    code = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        cat = Image.fromarray(chelsea())
        cat.save("cat.jpg")
        Path("photos").mkdir()
        for name, box in (("left", (0, 0, 300, 300)), ("right", (151, 0, 451, 300))):
            cat.crop(box).save(f"photos/{name}.jpg")
        run: dict[str, object] = {}
        for block in code:
            exec(compile(block, "README.md", "exec"), run)
        for name in names:
            keep(Image.open(name), name)


def save(picture: xplain.renderers.Picture, name: str) -> None:
    """Write a picture for the README."""
    keep(Image.fromarray(picture.pixels), name)


def keep(image: Image.Image, name: str) -> None:
    """Write an image small enough for a repository: packed hard, where `Picture.save` packs fast."""
    image.thumbnail((660, 660))
    image.save(PICTURES / name, optimize=True)


def table() -> str:
    """Return the table of methods in Markdown."""
    needs = {
        "gradients": "torch module",
        "layers": "module with feature maps",
        "attention": "vision transformer",
        "scores": "any model",
    }
    rows = [
        "| method | engine | what it shows | explains | needs | evaluations |",
        "|---|---|---|---|---|---|",
    ]
    for name, method in METHODS.items():
        cells = (
            f"`{name}`",
            method.engine,
            method.summary,
            ", ".join(method.explains),
            needs[method.needs],
            method.cost,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def with_table(readme: str) -> str:
    """Return the README with the table of methods as it is now."""
    return re.sub(
        r"(<!-- methods:[^\n]*-->\n).*?(<!-- /methods -->)",
        lambda match: f"{match[1]}\n{table()}\n\n{match[2]}",
        readme,
        flags=re.DOTALL,
    )


def execute(path: Path) -> None:
    """Run a notebook and keep its outputs, without the metadata that changes from run to run."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": HERE}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    nbformat.write(notebook, path)


def main() -> None:
    """Make everything."""
    draw()
    draw_examples("face.png", "wave.png")
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
    for path in sorted(HERE.glob("*.ipynb")):
        execute(path)


if __name__ == "__main__":
    main()
