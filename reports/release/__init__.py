"""What all that is published tells together: read back, solved, and refused where a small number of pupils follows."""
