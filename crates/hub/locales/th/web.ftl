web-nav-settings = Settings
