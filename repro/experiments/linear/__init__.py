"""Arms of linear models: penalties, rank cuts, components, chosen pixels, other inputs than flux as it is."""
