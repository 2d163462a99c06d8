"""Where runs lie: folders and object stores, mirrors, locks."""
