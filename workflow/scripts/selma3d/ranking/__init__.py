"""The ranking of entrants: places, how sure they are, gains, costs; `track.rank_track` does it all."""
