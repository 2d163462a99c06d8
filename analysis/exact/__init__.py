"""The exact ranking: chains of tables, enumeration, proof."""
