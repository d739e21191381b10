"""What people keep recordings in: tables as text, data frames, arrays, sounds, and objects of JSON."""
