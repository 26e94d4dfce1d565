"""What is known about ComfyUI's own nodes that ``/object_info`` does not say."""
