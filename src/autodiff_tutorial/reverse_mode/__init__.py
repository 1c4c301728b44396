"""Reverse mode from scratch: a tape records a program, and is read backward.

Knows the rules of `primitives` and nothing of forward mode. Nothing here calls JAX's differentiation.
"""

from autodiff_tutorial.reverse_mode.gradients import checkpoint, grad, jacrev, value_and_grad, vjp
from autodiff_tutorial.reverse_mode.recording import Graph, Step, record
from autodiff_tutorial.reverse_mode.tape import Node

__all__ = ["Graph", "Node", "Step", "checkpoint", "grad", "jacrev", "record", "value_and_grad", "vjp"]
