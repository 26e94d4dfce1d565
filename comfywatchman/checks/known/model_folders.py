"""Which model folder feeds which combo: ``/object_info`` lists the files but not where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder below ComfyUI's ``models``, and what one file in it is called."""

    name: str
    noun: str


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

# Inputs that name the same folder in every node type of ComfyUI that has them, and that custom
# nodes copy.
_BY_INPUT: Final = {
    "audio_encoder_name": "audio_encoders",
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
    ("LatentUpscaleModelLoader", "model_name"): "latent_upscale_models",
    ("ModelPatchLoader", "name"): "model_patches",
    ("TrainLoraNode", "existing_lora"): "loras",
    ("UpscaleModelLoader", "model_name"): "upscale_models",
}


def model_folder(node_type: str, input_name: str) -> ModelFolder | None:
    """The folder whose files an input of a node type lists, None if that is not known."""
    folder = _BY_NODE_AND_INPUT.get((node_type, input_name)) or _BY_INPUT.get(input_name)
    return None if folder is None else ModelFolder(folder, _NOUNS[folder])
