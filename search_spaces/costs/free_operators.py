"""Operators of PyTorch that do no multiply-accumulates, as this project counts them.

These are elementwise functions, reductions, views and copies, pooling, norms, softmax, resampling, sorting, and tensors
made anew. An operator that is neither here nor counted may do any number of them.
"""

from typing import Any

_FREE_TAGS = frozenset({"pointwise", "reduction", "inplace_view", "view_copy"})
_METADATA = "prim"

_MADE_ANEW = (
    "arange bernoulli empty empty_like empty_permuted empty_strided exponential eye fill full full_like lift_fresh "
    "linspace logspace multinomial new_empty new_empty_strided new_full new_ones new_zeros normal ones ones_like rand "
    "rand_like randint randint_like randn randn_like random randperm scalar_tensor tril_indices triu_indices uniform "
    "zero zeros zeros_like"
)
_MOVED = (
    "_reshape_copy _to_copy _unsafe_index _unsafe_index_put _unsafe_view as_strided as_strided_scatter cat "
    "channel_shuffle clone col2im complex constant_pad_nd copy diagonal_scatter embedding flip gather im2col index "
    "index_add index_copy index_fill index_put index_reduce index_select masked_scatter masked_select pixel_shuffle "
    "pixel_unshuffle put reflection_pad1d reflection_pad2d reflection_pad3d repeat repeat_interleave "
    "replication_pad1d replication_pad2d replication_pad3d resize roll rot90 scatter scatter_add scatter_reduce "
    "select_scatter slice_scatter stack take tril triu unsafe_chunk unsafe_split unsafe_split_with_sizes"
)
_ELEMENTWISE = "_prelu_kernel bucketize glu hardswish native_dropout polar rrelu_with_noise searchsorted"
_REDUCED = (
    "_cummax_helper _cummin_helper _local_scalar_dense all amax amin aminmax any argmax argmin count_nonzero cummax "
    "cummin cumprod cumsum equal histc kthvalue linalg_vector_norm logcumsumexp logsumexp max mean median min mode "
    "nanmedian nansum norm prod sort std std_mean sum topk var var_mean"
)
_POOLED = (
    "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d avg_pool2d avg_pool3d "
    "fractional_max_pool2d fractional_max_pool3d max_pool2d_with_indices max_pool3d_with_indices max_unpool2d "
    "max_unpool3d"
)
_NORMALISED = (
    "_fused_rms_norm _log_softmax _native_batch_norm_legit _native_batch_norm_legit_functional "
    "_native_batch_norm_legit_no_training _safe_softmax _softmax _weight_norm_interface cudnn_batch_norm "
    "miopen_batch_norm native_batch_norm native_group_norm native_layer_norm renorm"
)
_RESAMPLED = (
    "_upsample_bicubic2d_aa _upsample_bilinear2d_aa _upsample_nearest_exact1d _upsample_nearest_exact2d "
    "_upsample_nearest_exact3d grid_sampler_2d grid_sampler_3d upsample_bicubic2d upsample_bilinear2d "
    "upsample_linear1d upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_trilinear3d"
)
_FREE = frozenset(
    " ".join(
        (_MADE_ANEW, _MOVED, _ELEMENTWISE, _REDUCED, _POOLED, _NORMALISED, _RESAMPLED),
    ).split()
)


def is_free(operator: Any) -> bool:
    """Whether a `torch._ops.OpOverload` is known to do no multiply-accumulates."""
    if operator.namespace == _METADATA or operator.is_view:
        return True
    if not _FREE_TAGS.isdisjoint(tag.name for tag in operator.tags):
        return True
    return operator.namespace == "aten" and operator.overloadpacket.__name__.rstrip("_") in _FREE
