"""Parameters of a training: the loop, the loss and the augmentation of still images."""

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from pixelwise.data.augmentation import AugmentParams
from pixelwise.params import Params

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


class DeviceParams(Params):
    """The device of a training."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="device to train on")
    precision: Precision = Field("32-true", description="Fabric precision")


class LoopParams(DeviceParams):
    """Optimisation and processes."""

    seed: NonNegativeInt = Field(0, description="seed of every random choice")
    epochs: PositiveInt = Field(12, description="passes over the training split")
    batch_size: PositiveInt = Field(8, description="samples per batch and process")
    accumulate: PositiveInt = Field(1, description="batches per optimiser step; their gradients are accumulated")
    optimiser: Literal["adamw", "sgd"] = Field("adamw", description="adamw, or the thesis's SGD with momentum")
    learning_rate: PositiveFloat = Field(
        1.5e-3, description="learning rate after the warm-up; SGD needs another value than AdamW"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD's momentum")
    weight_decay: NonNegativeFloat = Field(0.02, description="weight decay; not applied to biases and norms")
    bias_rate: NonNegativeFloat = Field(1.0, description="SGD's factor on the learning rate of biases; 2 in the thesis")
    schedule: Literal["poly", "fixed"] = Field("poly", description="schedule of the learning rate after the warm-up")
    warmup_steps: NonNegativeInt = Field(20, description="steps of linear warm-up")
    average_decay: float = Field(0.98, ge=0, lt=1, description="decay of the running average of the weights")
    validate_every: PositiveInt = Field(2, description="epochs between validations")
    patience: PositiveInt = Field(4, description="validations without improvement before an early stop")
    devices: PositiveInt = Field(1, description="number of processes or GPUs")
    strategy: str = Field("auto", description="Fabric strategy: auto, ddp, fsdp, …")
    loader_threads: PositiveInt = Field(2, description="threads that decode and augment")


class ObjectiveParams(Params):
    """The loss."""

    renamed: ClassVar = {"kept": "sampled_share"}

    loss: Literal["softmax", "sigmoid"] = Field(
        "softmax", description="softmax: classes compete for a pixel; sigmoid: each class is independent"
    )
    reduction: Literal["mean", "sum"] = Field(
        "mean", description="reduction over the labelled pixels; a sum needs a learning rate about 10^5 times lower"
    )
    balance: NonNegativeFloat = Field(
        0.4, description="class weights are frequencies to minus this power; 0: unweighted"
    )
    lovasz: NonNegativeFloat = Field(0.0, description="weight of the Lovász-softmax loss beside cross-entropy")
    lovasz_samples: int = Field(50_000, gt=0, description="pixels per batch that the Lovász loss sorts")
    sampled_share: float = Field(
        1.0, gt=0, le=1, description="share of the labelled pixels, drawn at random, in the loss"
    )


class StillImageParams(LoopParams):
    """Learning from still pictures."""

    train_split: str = Field("train", description="split to train on; several splits are joined by +")
    val_split: str = Field("val", description="split whose score selects the weights")
    objective: ObjectiveParams = ObjectiveParams()
    augment: AugmentParams = AugmentParams()
