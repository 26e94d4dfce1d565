"""Which model folder feeds which combo: ``/object_info`` lists the files but not where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from comfywatchman.checks.engine.rulebook import Rulebook
    from comfywatchman.comfyui.catalog import Catalog, InputSpec, NodeType
    from comfywatchman.comfyui.inventory import Inventory


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder below ComfyUI's ``models``, and what one file in it is called."""

    name: str
    noun: str


_ENOUGH: Final = 3
"""So many files of a list tell which folder it is of, if just one holds them all."""

_NOUNS: Final = {
    "audio_encoders": "audio encoder",
    "background_removal": "background removal model",
    "checkpoints": "checkpoint",
    "clip_vision": "CLIP vision model",
    "controlnet": "ControlNet",
    "detection": "detection model",
    "diffusion_models": "diffusion model",
    "frame_interpolation": "frame interpolation model",
    "geometry_estimation": "geometry estimation model",
    "gligen": "GLIGEN model",
    "hypernetworks": "hypernetwork",
    "latent_upscale_models": "latent upscale model",
    "loras": "LoRA",
    "model_patches": "model patch",
    "optical_flow": "optical flow model",
    "photomaker": "PhotoMaker model",
    "style_models": "style model",
    "text_encoders": "text encoder",
    "upscale_models": "upscale model",
    "vae": "VAE",
}

# Inputs that name the same folder in every node type of ComfyUI that has them.
_BY_INPUT: Final = {
    "audio_encoder_name": "audio_encoders",
    "bg_removal_name": "background_removal",
    "ckpt_name": "checkpoints",
    "clip_name": "text_encoders",
    "clip_name1": "text_encoders",
    "clip_name2": "text_encoders",
    "clip_name3": "text_encoders",
    "clip_name4": "text_encoders",
    "control_net_name": "controlnet",
    "gligen_name": "gligen",
    "hypernetwork_name": "hypernetworks",
    "lora_name": "loras",
    "photomaker_model_name": "photomaker",
    "style_model_name": "style_models",
    "text_encoder": "text_encoders",
    "unet_name": "diffusion_models",
    "vae_name": "vae",
}
# Inputs whose name alone does not tell.
_BY_NODE_AND_INPUT: Final = {
    ("CLIPVisionLoader", "clip_name"): "clip_vision",
    ("FrameInterpolationModelLoader", "model_name"): "frame_interpolation",
    ("LatentUpscaleModelLoader", "model_name"): "latent_upscale_models",
    ("LoadDA3Model", "model_name"): "geometry_estimation",
    ("LoadMediaPipeFaceLandmarker", "model_name"): "detection",
    ("LoadMoGeModel", "model_name"): "geometry_estimation",
    ("ModelPatchLoader", "name"): "model_patches",
    ("OpticalFlowLoader", "model_name"): "optical_flow",
    ("TrainLoraNode", "existing_lora"): "loras",
    ("UpscaleModelLoader", "model_name"): "upscale_models",
}


# One input of a node of ComfyUI itself that lists each folder, and nothing but files of it.
_LISTS: Final = {
    "audio_encoders": ("AudioEncoderLoader", "audio_encoder_name"),
    "background_removal": ("LoadBackgroundRemovalModel", "bg_removal_name"),
    "checkpoints": ("CheckpointLoaderSimple", "ckpt_name"),
    "clip_vision": ("CLIPVisionLoader", "clip_name"),
    "controlnet": ("ControlNetLoader", "control_net_name"),
    "detection": ("LoadMediaPipeFaceLandmarker", "model_name"),
    "diffusion_models": ("UNETLoader", "unet_name"),
    "frame_interpolation": ("FrameInterpolationModelLoader", "model_name"),
    "geometry_estimation": ("LoadMoGeModel", "model_name"),
    "gligen": ("GLIGENLoader", "gligen_name"),
    "hypernetworks": ("HypernetworkLoader", "hypernetwork_name"),
    "latent_upscale_models": ("LatentUpscaleModelLoader", "model_name"),
    "loras": ("LoraLoader", "lora_name"),
    "model_patches": ("ModelPatchLoader", "name"),
    "optical_flow": ("OpticalFlowLoader", "model_name"),
    "photomaker": ("PhotoMakerLoader", "photomaker_model_name"),
    "style_models": ("StyleModelLoader", "style_model_name"),
    "text_encoders": ("CLIPLoader", "clip_name"),
    "upscale_models": ("UpscaleModelLoader", "model_name"),
    "vae": ("VAELoader", "vae_name"),
}


def model_folder(node_type: NodeType, input_name: str) -> ModelFolder | None:
    """The folder whose files an input of one of ComfyUI's own node types lists, if that is known.

    What custom nodes call an input proves nothing: see :func:`listed_folder`.
    """
    if not node_type.is_core:
        return None
    return _folder(
        _BY_NODE_AND_INPUT.get((node_type.name, input_name)) or _BY_INPUT.get(input_name)
    )


def listed_folder(
    catalog: Catalog, inventory: Inventory, book: Rulebook, node_type: NodeType, spec: InputSpec
) -> ModelFolder | None:
    """The folder whose files an input lists, also of a custom node: the one with the same files.

    Of several folders with the same files, the one that the input's name suggests is taken.
    """
    if node_type.is_core:
        return model_folder(node_type, spec.name)
    choices = book.plan(node_type).choices(spec)
    files = choices.files if choices is not None else frozenset()
    same = [folder for folder, at in _LISTS.items() if _files_at(catalog, book, *at) == files]
    guessed = _BY_INPUT.get(spec.name)
    if files and not same:
        holding = (inventory.folders_with(file) for file in sorted(files)[:_ENOUGH])
        same = sorted(set.intersection(*map(set, holding)))
    if guessed in same:
        return _folder(guessed)
    return _folder(same[0]) if files and len(same) == 1 else None


def _folder(name: str | None) -> ModelFolder | None:
    return None if name is None else ModelFolder(name, _NOUNS.get(name, "model"))


def _files_at(
    catalog: Catalog, book: Rulebook, node_type: str, input_name: str
) -> frozenset[str] | None:
    found = catalog.find(node_type)
    spec = found.inputs.get(input_name) if found is not None else None
    choices = book.plan(found).choices(spec) if found is not None and spec is not None else None
    return None if choices is None else choices.files
