"""What is done to parameters from outside of layers, with PyTorch's names."""

from minidnn.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_, get_total_norm

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm"]
