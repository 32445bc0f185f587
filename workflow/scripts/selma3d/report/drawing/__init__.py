"""Drawing: the style of all figures, entrants' symbols, grids of panels, saving."""
