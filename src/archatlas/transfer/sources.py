"""Where known networks come from, and what they were trained on. Imports nothing."""

TIMM = "timm"
"""The source of real networks: those of timm."""
ON_IMAGENET = (TIMM, "once_for_all_mobilenet_v3", "accel_nasbench")
ON_CIFAR = ("nas_bench_201", "nas_bench_101", "nas_bench_macro")
