# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models which pipeline serves, as data: ai-runner v0.14.1's batch images. Private to the collection.

Which files of a repository are read is the business of _hf_rules; which card upstream asks for, of _gpu_plan.
"""

from __future__ import annotations

GIB = 1024**3

# Class groups of diffusers 0.31's AutoPipeline: it knows a model by the class in model_index.json, whatever task that
# class is for, and loads the class that the same group has for the task asked for.
GROUPS = {
    "stable-diffusion": ("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"),
    "stable-diffusion-xl": ("StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline"),
    "stable-diffusion-3": ("StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline"),
    "stable-diffusion-3-pag": ("StableDiffusion3PAGPipeline",),
    "if": ("IFPipeline", "IFImg2ImgPipeline"),
    "hunyuan": ("HunyuanDiTPipeline",),
    "hunyuan-pag": ("HunyuanDiTPAGPipeline",),
    "kandinsky": ("KandinskyCombinedPipeline", "KandinskyImg2ImgCombinedPipeline", "KandinskyPipeline"),
    "kandinsky22": ("KandinskyV22CombinedPipeline", "KandinskyV22Img2ImgCombinedPipeline", "KandinskyV22Pipeline"),
    "kandinsky3": ("Kandinsky3Pipeline", "Kandinsky3Img2ImgPipeline"),
    "stable-diffusion-controlnet": (
        "StableDiffusionControlNetPipeline",
        "StableDiffusionControlNetImg2ImgPipeline",
        "StableDiffusionControlNetPAGPipeline",
    ),
    "stable-diffusion-xl-controlnet": (
        "StableDiffusionXLControlNetPipeline",
        "StableDiffusionXLControlNetImg2ImgPipeline",
        "StableDiffusionXLControlNetPAGPipeline",
    ),
    "wuerstchen": ("WuerstchenCombinedPipeline", "WuerstchenDecoderPipeline"),
    "cascade": ("StableCascadeCombinedPipeline", "StableCascadeDecoderPipeline"),
    "lcm": ("LatentConsistencyModelPipeline", "LatentConsistencyModelImg2ImgPipeline"),
    "pixart-alpha": ("PixArtAlphaPipeline",),
    "pixart-sigma": ("PixArtSigmaPipeline",),
    "pixart-sigma-pag": ("PixArtSigmaPAGPipeline",),
    "stable-diffusion-pag": ("StableDiffusionPAGPipeline",),
    "stable-diffusion-xl-pag": ("StableDiffusionXLPAGPipeline", "StableDiffusionXLPAGImg2ImgPipeline"),
    "auraflow": ("AuraFlowPipeline",),
    "flux": ("FluxPipeline", "FluxImg2ImgPipeline"),
    "flux-controlnet": ("FluxControlNetPipeline", "FluxControlNetImg2ImgPipeline"),
    "lumina": ("LuminaText2ImgPipeline",),
    "cogview3": ("CogView3PlusPipeline",),
    "kolors": ("KolorsPipeline", "KolorsImg2ImgPipeline"),
}
GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}

# These have a denoiser with more input channels, which the plain class of the group cannot feed.
INPAINT_MARK = "Inpaint"

CONTROL = "needs a control image beside the prompt (ControlNet), and the route has no field for one"
# The runner's arguments are fixed, so a class that does not take one of them fails at each request, not at the start.
TEXT_TO_IMAGE_FAILS = {
    "cascade": "takes no guidance_scale, which the route always sends: every request ends with 400",
    "stable-diffusion-controlnet": CONTROL,
    "stable-diffusion-xl-controlnet": CONTROL,
    "flux-controlnet": CONTROL,
}
EXTRA_ARGUMENT = "does not take image_guidance_scale, which the route always sends: every request ends with 400"
IMAGE_TO_IMAGE_FAILS = {
    "stable-diffusion-3": EXTRA_ARGUMENT,
    "stable-diffusion-3-pag": EXTRA_ARGUMENT,
    "if": EXTRA_ARGUMENT,
    "kandinsky": EXTRA_ARGUMENT,
    "kandinsky22": EXTRA_ARGUMENT,
    "stable-diffusion-pag": EXTRA_ARGUMENT,
    "stable-diffusion-xl-pag": EXTRA_ARGUMENT,
    "flux": EXTRA_ARGUMENT,
    "flux-controlnet": EXTRA_ARGUMENT,
    "stable-diffusion-controlnet": CONTROL,
    "stable-diffusion-xl-controlnet": CONTROL,
}
IMAGE_TO_IMAGE_FITS = ("stable-diffusion", "stable-diffusion-xl", "kandinsky3", "lcm")
# A request with a negative prompt fails; without one it works.
NEGATIVE_PROMPT_TRAP = ("flux",)

# Names that the runner looks for inside model_id before it asks AutoPipeline.
INSTRUCT_PIX2PIX = "timbrooks/instruct-pix2pix"
BFLOAT16_NAMES = ("black-forest-labs/FLUX.1-schnell", "black-forest-labs/FLUX.1-dev")

# Parts of pipelines that people publish on their own, by the class in config.json.
PARTS = {
    "ControlNetModel": "a ControlNet",
    "SD3ControlNetModel": "a ControlNet",
    "FluxControlNetModel": "a ControlNet",
    "AutoencoderKL": "an image decoder (VAE)",
    "AutoencoderTiny": "an image decoder (VAE)",
    "UNet2DConditionModel": "a denoiser (UNet)",
}

BLIP = "BlipForConditionalGeneration"
# Model types of transformers' AutoModelForSpeechSeq2Seq.
SPEECH_TO_TEXT = (
    "whisper",
    "speech_to_text",
    "speecht5",
    "seamless_m4t",
    "seamless_m4t_v2",
    "speech-encoder-decoder",
    "pop2piano",
)
SPEECH_TAG = "automatic-speech-recognition"
# These write one class of letter per moment of sound (CTC) and have no decoder.
CTC = ("wav2vec2", "hubert", "wavlm", "wav2vec2-bert", "unispeech-sat", "sew", "data2vec-audio")
PARLER = "parler_tts"

# Text models of vLLM 0.6.5.
LLM_ARCHITECTURES = frozenset(
    (
        "AquilaForCausalLM",
        "AquilaModel",
        "ArcticForCausalLM",
        "BaiChuanForCausalLM",
        "BaichuanForCausalLM",
        "BloomForCausalLM",
        "CohereForCausalLM",
        "DbrxForCausalLM",
        "DeciLMForCausalLM",
        "DeepseekForCausalLM",
        "DeepseekV2ForCausalLM",
        "ExaoneForCausalLM",
        "FalconForCausalLM",
        "FalconMambaForCausalLM",
        "GPT2LMHeadModel",
        "GPTBigCodeForCausalLM",
        "GPTJForCausalLM",
        "GPTNeoXForCausalLM",
        "Gemma2ForCausalLM",
        "GemmaForCausalLM",
        "GlmForCausalLM",
        "GraniteForCausalLM",
        "GraniteMoeForCausalLM",
        "InternLM2ForCausalLM",
        "InternLM2VEForCausalLM",
        "InternLMForCausalLM",
        "JAISLMHeadModel",
        "JambaForCausalLM",
        "LLaMAForCausalLM",
        "LlamaForCausalLM",
        "MPTForCausalLM",
        "MambaForCausalLM",
        "MiniCPM3ForCausalLM",
        "MiniCPMForCausalLM",
        "MistralForCausalLM",
        "MixtralForCausalLM",
        "MptForCausalLM",
        "NemotronForCausalLM",
        "OPTForCausalLM",
        "Olmo2ForCausalLM",
        "OlmoForCausalLM",
        "OlmoeForCausalLM",
        "OrionForCausalLM",
        "PersimmonForCausalLM",
        "Phi3ForCausalLM",
        "Phi3SmallForCausalLM",
        "PhiForCausalLM",
        "PhiMoEForCausalLM",
        "QuantMixtralForCausalLM",
        "Qwen2ForCausalLM",
        "Qwen2MoeForCausalLM",
        "RWForCausalLM",
        "SolarForCausalLM",
        "StableLMEpochForCausalLM",
        "StableLmForCausalLM",
        "Starcoder2ForCausalLM",
        "TeleChat2ForCausalLM",
        "XverseForCausalLM",
    )
)
# Model types whose configuration is code in the repository and nowhere in transformers; the runner reads the
# configuration without permission to execute it.
REMOTE_CONFIGURATIONS = (
    "aquila",
    "arctic",
    "baichuan",
    "chatglm",
    "exaone",
    "internlm",
    "internlm2",
    "jais",
    "minicpm",
    "minicpm3",
    "orion",
    "phi3small",
    "telechat",
    "xverse",
)
# What the runner sets when it is told nothing; vLLM refuses more than the model was made for.
MAX_MODEL_LEN = 8192
# The share of a card that vLLM takes.
LLM_MEMORY_SHARE = 0.85

# What a runner needs beside its weights: CUDA's own part, activations of a default request, for llm a small cache.
# Assumptions of this collection, rounded up; nobody upstream states a figure, and none was measured.
OVERHEAD = {
    "text-to-image": 3 * GIB,
    "image-to-image": 3 * GIB,
    "image-to-video": 8 * GIB,
    "upscale": 6 * GIB,
    "audio-to-text": 2 * GIB,
    "image-to-text": 1 * GIB,
    "segment-anything-2": 2 * GIB,
    "text-to-speech": 2 * GIB,
    "llm": 2 * GIB,
}
# Bytes of one number in the types that the Hub names.
TYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1}
# The type in which a runner holds weights, where it does not keep the file's: the audio runner halves all but one.
HELD_AS = {"audio-to-text": 2, "text-to-speech": 4, "image-to-text": 4}
HELD_WHOLE = ("openai/whisper-medium",)

# Requests longer than 10 to 15 s block /health, and go-livepeer removes the container in the middle of the job
# (livepeer/ai-runner pull request 419).
SLOW_PIPELINES = ("image-to-video",)
SLOW_GROUPS = ("flux", "auraflow", "hunyuan", "kolors", "cogview3")
FAST_NAMES = ("schnell", "lightning", "turbo", "hyper", "lcm")

NON_COMMERCIAL = ("-nc", "non-commercial", "noncommercial", "research")
# Licences that anybody may look up by this name; under "other" the text is in the repository.
OWN_TEXT = ("other", "")
