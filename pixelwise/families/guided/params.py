"""Parameters of a guided net and its training."""

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from pixelwise.data.augmentation import AugmentParams
from pixelwise.params import Params
from pixelwise.training.params import LoopParams


class NetworkParams(Params):
    """The net."""

    guide: Literal["late", "late-global", "late-local", "early", "masking"] = Field(
        "late", description="how pictures and annotations are fused; late combines late-global and late-local"
    )
    backbone: str = Field("efficientnet_lite0", description="timm model with features at strides 4, 8, 16 and 32")
    weights: str = Field("imagenet", description="initial weights of the backbone: imagenet, none, or a file")
    frozen_stride: NonNegativeInt = Field(32, description="freeze the backbone up to this stride; 0 freezes nothing")
    hidden: int = Field(32, ge=2, multiple_of=2, description="channels of the scorer; half as many at stride 4")
    click_width: int = Field(
        0,
        ge=0,
        multiple_of=4,
        description="channels of the net for the picture that is clicked, beside a late guide; 0: no such net",
    )


class EpisodeAugmentParams(AugmentParams):
    """Random views of supports and queries."""

    crop_width: PositiveInt = AugmentParams.with_default("crop_width", 192)
    crop_height: PositiveInt = AugmentParams.with_default("crop_height", 144)
    scale_min: PositiveFloat = AugmentParams.with_default("scale_min", 0.5)
    scale_max: PositiveFloat = AugmentParams.with_default("scale_max", 1.2)


class ClickTrainParams(Params):
    """Training of the click net, after that of the late one. Its device and seed are those of the late net's."""

    epochs: PositiveInt = Field(8, description="passes over the masks of the training split")
    batch_size: PositiveInt = Field(8, description="views per batch and process")
    learning_rate: PositiveFloat = Field(1e-3, description="learning rate after the warm-up")
    warmup_steps: NonNegativeInt = Field(100, description="steps of linear warm-up")
    average_decay: float = Field(0.99, ge=0, lt=1, description="decay of the running average of the weights")
    validate_every: PositiveInt = Field(1, description="epochs between validations")
    val_objects: PositiveInt = Field(100, description="objects of the validation split whose score selects the weights")
    side: int = Field(256, ge=64, description="height and width of a view in pixels")
    corrections: NonNegativeInt = Field(3, description="most clicks on the net's own errors before it learns")


class TrainParams(LoopParams):
    """Training of a guided net on episodes."""

    renamed: ClassVar = {
        "objects": "separate_objects",
        "points": "max_points",
        "same": "same_image_share",
        "across": "other_image_share",
        "dense": "dense_share",
        "two_tasks": "two_task_share",
        "previous": "previous_mask_share",
    }

    network: NetworkParams = NetworkParams()
    epochs: PositiveInt = LoopParams.with_default("epochs", 2)
    learning_rate: PositiveFloat = LoopParams.with_default("learning_rate", 3e-3)
    warmup_steps: NonNegativeInt = LoopParams.with_default("warmup_steps", 10)
    average_decay: float = LoopParams.with_default("average_decay", 0.9)
    train_split: str = Field("train", description="split to train on")
    val_split: str = Field("val", description="split whose score selects the weights")
    separate_objects: bool = Field(False, description="each numbered object is a task, instead of each class")
    held_out: tuple[str, ...] = Field((), description="classes hidden from training: their pixels are void")
    max_points: PositiveInt = Field(100, description="maximum points per class in a sparse support")
    same_image_share: float = Field(
        0.2, ge=0, le=1, description="share of episodes whose support is the query itself, with points"
    )
    other_image_share: float = Field(
        0.45,
        ge=0,
        le=1,
        description="share of episodes whose support is another image of the class; in the rest it is "
        "another view or frame of the same object",
    )
    dense_share: float = Field(
        0.4, ge=0, le=1, description="share of supports with dense masks, where the support is not the query"
    )
    two_task_share: float = Field(
        0.3,
        ge=0,
        le=1,
        description="share of episodes with an image of another class beside support and query",
    )
    previous_mask_share: float = Field(
        0.6, ge=0, le=1, description="share of same-object episodes that are given a previous frame's mask"
    )
    val_episodes: PositiveInt = Field(24, description="validation episodes whose score selects the weights")
    augment: EpisodeAugmentParams = EpisodeAugmentParams()
    clicks: ClickTrainParams = ClickTrainParams()

    def for_clicks(self) -> LoopParams:
        """Return the loop of the click net: this one with the values of `clicks`."""
        values = {name: getattr(self, name) for name in LoopParams.model_fields}
        own = {name: value for name, value in self.clicks.model_dump().items() if name in values}
        return LoopParams.model_validate(values | own)
