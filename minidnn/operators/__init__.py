"""The Functions behind Tensor's operators: forward and backward side by side, on arrays."""
