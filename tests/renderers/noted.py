"""Pictures with the notes of all formats, as `xplain.render` draws them."""

from xplain import formatters, renderers


def draw(subject, image=None, **options):
    return renderers.draw(subject, image, formatters.notes, **options)
