"""Maps the names of our parameters to those in released checkpoints."""

from __future__ import annotations

import re

KeyMapping = tuple[tuple[str, str], ...]
"""Patterns and what replaces them, applied in order, each to the result of the one before."""

# From our names to theirs.
_GLIC: KeyMapping = (
    (r"^g_a\.down\.(\d)", r"g_a.down\1"),
    (r"^g_s\.up\.(\d)", r"g_s.up\1"),
    (r"^g_a\.side", "g_a.AuxT_enc"),
    (r"^g_s\.side", "g_s.AuxT_dec"),
    (r"(AuxT_...\.\d)\.scaling$", r"\1.scaling_factors"),
    (r"(AuxT_...\.\d)\.linear", r"\1.OLP.linear"),
    (r"^g_a\.blocks\.0", "g_a.g1"),
    (r"^g_a\.blocks\.1", "g_a.g2"),
    (r"^g_a\.blocks\.2", "g_a.g3"),
    (r"^g_s\.blocks\.0", "g_s.g1"),
    (r"^g_s\.blocks\.1", "g_s.g2"),
    (r"^g_s\.blocks\.2", "g_s.g3"),
    (r"\.layers\.(\d)\.conv\.", r".layers.\1.grapher."),
    (r"\.layers\.(\d)\.(project_in|project_out)", r".layers.\1.mlp.\2"),
    (r"\.layers\.(\d)\.depthwise", r".layers.\1.mlp.conv"),
    (r"\.layers\.(\d)\.norm_conv", r".layers.\1.norm1"),
    (r"\.layers\.(\d)\.norm_ffn", r".layers.\1.norm2"),
    (r"\.layers\.(\d)", r".residual_group.blocks.\1"),
    (r"grapher\.to_q", "grapher.proj_group"),
    (r"grapher\.to_kv", "grapher.proj_sample"),
    (r"grapher\.out", "grapher.proj"),
    (r"grapher\.log_scale", "grapher.logit_scale"),
    (r"grapher\.position_bias\.mlp", "grapher.cpb_mlp"),
    (r"\.mix_in\.", ".mixer.conv1.0."),
    (r"\.depthwise\.", ".mixer.depth_conv."),
    (r"\.mix_out\.", ".mixer.conv2."),
    (r"\.skip\.", ".mixer.adaptor."),
    (r"\.mix\.", ".mixer."),
    (r"\.ffn\.", ".mlp."),
    (r"\.norm\.", ".norm2."),
    # CompressAI's ramp interleaves activations, here none: its layers stand at 0, 2, 4.
    (r"((?:channel_context\.y\d|entropy_parameters))\.2\.", r"\1.4."),
    (r"((?:channel_context\.y\d|entropy_parameters))\.1\.", r"\1.2."),
)

_MLICPP: KeyMapping = (
    (r"^g_a\.", "g_a.analysis_transform."),
    (r"^g_s\.", "g_s.synthesis_transform."),
    (r"^(g_s.*)\.up\.", r"\1.subpel_conv."),
    (r"^(g_s.*)\.skip\.0\.", r"\1.upsample.0."),
    (r"^latent_codec\.", ""),
    (r"^h_a\.", "h_a.reduction."),
    (r"^h_s\.", "h_s.increase."),
    (r"^slices\.(\d+)\.local\.", r"local_context.\1."),
    (r"^slices\.(\d+)\.channel\.", r"channel_context.\1.fushion."),
    (r"^slices\.(\d+)\.inter\.", r"global_inter_context.\1."),
    (r"^slices\.(\d+)\.intra\.", r"global_intra_context.\1."),
    (r"^slices\.(\d+)\.anchor_parameters\.", r"entropy_parameters_anchor.\1.fusion."),
    (r"^slices\.(\d+)\.other_parameters\.", r"entropy_parameters_nonanchor.\1.fusion."),
    (r"^slices\.(\d+)\.anchor_residual\.", r"lrp_anchor.\1.lrp_transform."),
    (r"^slices\.(\d+)\.other_residual\.", r"lrp_nonanchor.\1.lrp_transform."),
    (r"^(local_context\.\d+)\.qkv\.", r"\1.qkv_proj."),
    (r"^(local_context\.\d+)\.bias_table", r"\1.relative_position_table"),
    (r"^(local_context\.\d+)\.norm_in\.", r"\1.norm1."),
    (r"^(local_context\.\d+)\.norm_out\.", r"\1.norm2."),
    (r"^(local_context\.\d+)\.mlp\.0\.", r"\1.mlp.fc1."),
    (r"^(local_context\.\d+)\.mlp\.2\.", r"\1.mlp.fc2."),
)

# CompressAI's models hold the parts of their entropy model side by side.
_COMPRESSAI: KeyMapping = ((r"^latent_codec\.(?:hyper|y)\.", ""),)
# Ours begins h_a with a layer that takes magnitudes.
_COMPRESSAI_SCALE: KeyMapping = (
    *_COMPRESSAI,
    (r"^h_a\.1\.", "h_a.0."),
    (r"^h_a\.3\.", "h_a.2."),
    (r"^h_a\.5\.", "h_a.4."),
)

KEY_MAPPINGS: dict[str, KeyMapping] = {
    "glic": _GLIC,
    "mlicpp": _MLICPP,
    "bmshj2018-hyperprior": _COMPRESSAI_SCALE,
    "mbt2018-mean": _COMPRESSAI,
    "mbt2018": _COMPRESSAI,
    "cheng2020-anchor": _COMPRESSAI,
    "cheng2020-attn": _COMPRESSAI,
    "elic2022-official": (),
}
"""By the name of the release."""

# CompressAI named the bottleneck's matrices.0 first _matrices.0 and then, before 1.2, _matrix0.
_OLD_NAMES: KeyMapping = (
    (r"entropy_bottleneck\._matrix(\d)$", r"entropy_bottleneck.matrices.\1"),
    (r"entropy_bottleneck\._bias(\d)$", r"entropy_bottleneck.biases.\1"),
    (r"entropy_bottleneck\._factor(\d)$", r"entropy_bottleneck.factors.\1"),
    (r"entropy_bottleneck\._(matrices|biases|factors)\.(\d)$", r"entropy_bottleneck.\1.\2"),
    (r"\.downsample\.", ".skip."),
)


def released_name(name: str, model: str = "glic") -> str:
    """The name of one of our parameters in a checkpoint of a release, a key of :data:`KEY_MAPPINGS`."""
    return _mapped(name, KEY_MAPPINGS[model])


def current_name(name: str) -> str:
    """A name in any checkpoint as one of today would have it: no ``module.``, CompressAI's new names."""
    return _mapped(name.removeprefix("module."), _OLD_NAMES)


def _mapped(name: str, mapping: KeyMapping) -> str:
    for pattern, replacement in mapping:
        name = re.sub(pattern, replacement, name)
    return name
