"""The layers as functions: Tensors or arrays in, Tensors out; arguments as in torch.nn.functional.

One file per family; in each, a Function with forward and backward side by side, then the public function.
"""
