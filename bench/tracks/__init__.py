"""The standard tracks: for each, what a problem and a solution are, and a base class for methods that differ in a loop's parts."""
