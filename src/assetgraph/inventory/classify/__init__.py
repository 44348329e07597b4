"""What columns mean and which hold personal data: pure rules over names and a sample; no SQL, no network, no model."""
