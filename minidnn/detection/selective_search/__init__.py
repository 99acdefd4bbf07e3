"""Selective search: where objects may be, from nothing but the image, by joining what looks alike.

    segmentation.py   the first regions: a graph-based segmentation in one of several colour spaces
    descriptors.py    what is known of a region: size, box, histograms of colour and of texture
    similarity.py     how alike two regions are, by four measures
    grouping.py       the two most alike regions become one, until one is left
    proposals.py      all regions of several such hierarchies as boxes

Source: Uijlings, van de Sande, Gevers, Smeulders, "Selective search for object recognition", IJCV 104, 2013.
"""

from minidnn.detection.selective_search.proposals import FAST, QUALITY, Strategies, selective_search

__all__ = ["FAST", "QUALITY", "Strategies", "selective_search"]
