"""Block-wise search: DNA, distilled from a teacher, and DNA++, without labels."""
