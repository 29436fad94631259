team-nav-settings = Settings
