"""The declaration of SD-DARTS."""

from nasray.settings.methods import Declaration
from nasray.trainables.settings.sd_darts import SdDartsConfig

STAGE = "sd_darts"

SD_DARTS = Declaration(
    settings=SdDartsConfig,
    stages=(STAGE,),
    finds=True,
    section="nasray.methods.sd_darts.section:section",
)
