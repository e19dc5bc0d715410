"""For training loops in torch: `PairDataset`, `Degrade`, `Augment`. Loads torch when it is imported."""

from realdeg.torch.augment import Augment
from realdeg.torch.degrade import Degrade
from realdeg.torch.pairs import PairDataset, Sample

__all__ = ["Augment", "Degrade", "PairDataset", "Sample"]
