"""The methods of the track, one file each."""
