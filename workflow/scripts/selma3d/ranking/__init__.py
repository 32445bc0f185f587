"""The ranking of entrants: places, certainty, gains, costs. `track.rank_track` makes them all."""
