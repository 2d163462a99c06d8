"""The operations that ship, and the layer that each makes with a width and a stride."""
