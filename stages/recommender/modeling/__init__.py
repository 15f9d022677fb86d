"""What the models are made of: encoder and pooling, mention network, heads, variants, losses."""
