module readini

go 1.18

require gopkg.in/ini.v1 v1.68.0
