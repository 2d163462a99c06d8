"""The settings of a block-wise search, by either of its methods."""

from nasray.trainables.settings.block_distillation import BlockDistillationConfig
from nasray.trainables.settings.self_supervision import SelfSupervisionConfig

BlockWiseConfig = BlockDistillationConfig | SelfSupervisionConfig
