"""Layers, and the graphs they form."""

from kdq_ref.nn.activation import GELU, HardSwish, LeakyReLU, ReLU, ReLU6, Sigmoid, Tanh
from kdq_ref.nn.build import Residual, Sequential
from kdq_ref.nn.conv import Conv2d, DepthwiseConv2d
from kdq_ref.nn.dense import Dense
from kdq_ref.nn.dropout import Dropout
from kdq_ref.nn.graph import Graph, Tape
from kdq_ref.nn.layer import Layer
from kdq_ref.nn.norm import BatchNorm
from kdq_ref.nn.pool import AvgPool2d, GlobalAvgPool, MaxPool2d
from kdq_ref.nn.shape import Add, Flatten
from kdq_ref.nn.topology import Node

__all__ = [
    "GELU",
    "Add",
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "Dense",
    "DepthwiseConv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "Graph",
    "HardSwish",
    "Layer",
    "LeakyReLU",
    "MaxPool2d",
    "Node",
    "ReLU",
    "ReLU6",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "Tape",
]
