"""What is particular to NVIDIA Jetson boards: which board this is, its heat, its power modes, its first boot."""
