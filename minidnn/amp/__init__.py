"""Mixed precision: convolutions and linear layers in float16, all else in float32, and losses scaled so that
small gradients survive the way through the halves. PyTorch's names (`torch.amp`).

    scaler = amp.GradScaler()
    for images, labels in loader:
        optimizer.zero_grad()
        with amp.autocast():
            loss = functional.cross_entropy(model(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

`training.Trainer(..., scaler=amp.GradScaler())` does the same, with clipping, accumulation and checkpoints.

What runs in half: `conv2d` (but the depthwise one) and `linear`, forward and both gradients, on operands that
are rounded to float16; their sums are float32 and rounded once. On a GPU whose headers are there they run on
tensor cores. What they return is float32 again, unlike in PyTorch, because the other layers have no kernels
for halves: activations between layers take the memory of float32, and what these two save for their backward
takes half of it. Weights, their gradients and the optimiser's state stay float32. On the host the results are
the same within rounding, but slower than in float32.

Source: Micikevicius et al., "Mixed precision training", ICLR 2018, sections 3.1 to 3.3.
"""

from minidnn.amp.grad_scaler import GradScaler
from minidnn.modes import autocast

__all__ = ["GradScaler", "autocast"]
