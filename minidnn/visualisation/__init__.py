"""What networks see: their filters, and the images and pixels that their units respond to.

filters.py                    first_layer_filters, feature_maps
patches.py                    which pieces of a data set's images a channel responds to most
deconvnet.py                  what in an image made a unit respond (Zeiler and Fergus)
saliency.py, occlusion.py     which pixels a score hangs on; grad_cam.py, which places of the maps
activation_maximisation.py    an image that a unit would like best
style_transfer.py             one picture's layout with another one's textures
inception_score.py            how good made-up images are, by what a classifier says of them
grid.py, plotting.py          arrays as pictures, pictures as figures
observing.py, way_up.py       what all of them need; the operations between an image and a layer

Every function returns arrays in host memory and leaves the model as it found it.
"""

from minidnn.visualisation.activation_maximisation import maximise_activation
from minidnn.visualisation.deconvnet import deconvnet
from minidnn.visualisation.filters import feature_maps, first_layer_filters
from minidnn.visualisation.grad_cam import grad_cam
from minidnn.visualisation.grid import grid, normalised
from minidnn.visualisation.inception_score import InceptionScore, inception_score
from minidnn.visualisation.occlusion import occlusion
from minidnn.visualisation.patches import Patches, maximal_patches
from minidnn.visualisation.plotting import plot
from minidnn.visualisation.saliency import saliency
from minidnn.visualisation.style_transfer import (
    StyleTransfer,
    content_loss,
    gram_matrix,
    style_loss,
    style_transfer,
)

__all__ = [
    "InceptionScore",
    "Patches",
    "StyleTransfer",
    "content_loss",
    "deconvnet",
    "feature_maps",
    "first_layer_filters",
    "grad_cam",
    "gram_matrix",
    "grid",
    "inception_score",
    "maximal_patches",
    "maximise_activation",
    "normalised",
    "occlusion",
    "plot",
    "saliency",
    "style_loss",
    "style_transfer",
]
