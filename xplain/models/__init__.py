"""What is explained: models behind one interface, whatever library they come from.

A model prepares an input (with the geometry back to the original), scores batches of prepared inputs, and turns scores
into predictions. Attribution methods need nothing else, except the torch module for gradients and layers. So a new kind
of model is a class here, and no method has to know it.
"""

from xplain.emails import Comment, comment_from_email, comment_from_raw_email
from xplain.models.adapters.endpoint import Endpoint
from xplain.models.base import Classifier, Model
from xplain.models.beside.similarity import Similarity
from xplain.models.detections import Detections
from xplain.models.detector import Detector
from xplain.models.geometry import Geometry
from xplain.models.image import ImageClassifier, Prepared
from xplain.models.networks.catalogue import NETWORKS, pretrained
from xplain.models.preprocessing.preprocess import Preprocess
from xplain.models.segmenter import RegionTarget, Segmenter
from xplain.models.signal import PreparedSignal, SignalClassifier
from xplain.models.targets import Margin
from xplain.models.text import PreparedText, TextClassifier, TokenWindow
from xplain.models.wrapping import as_model

__all__ = [
    "NETWORKS",
    "Classifier",
    "Comment",
    "Detections",
    "Detector",
    "Endpoint",
    "Geometry",
    "ImageClassifier",
    "Margin",
    "Model",
    "Prepared",
    "PreparedSignal",
    "PreparedText",
    "Preprocess",
    "RegionTarget",
    "Segmenter",
    "SignalClassifier",
    "Similarity",
    "TextClassifier",
    "TokenWindow",
    "as_model",
    "comment_from_email",
    "comment_from_raw_email",
    "pretrained",
]
