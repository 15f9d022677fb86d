"""What each part of the repeat-explore gate is worth, measured on the validation split."""
