"""Pictures of explained images: maps, masks and regions on photos.

`drawing.draw` runs the steps in order: ``panels`` pairs photos with evidence and regions (``marks``), ``maps`` turns
each panel into a tile with colours, ``labels`` and ``layout`` place and draw, and ``wording`` writes legends and text
alternatives.
"""
