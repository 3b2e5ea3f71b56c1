# read_settings.rb gitlab FILE…: prints what each sets of `gitlab_rails`, as a JSON list.
# read_settings.rb addresses FILE…: the lines of each taken apart as addresses.
require "json"

def gitlab_rails
  $gitlab_rails
end

kind, *paths = ARGV
read = paths.map do |path|
  text = File.read(path, encoding: "UTF-8")
  if kind == "gitlab"
    $gitlab_rails = {}
    eval(text, TOPLEVEL_BINDING, path)
    $gitlab_rails
  else
    require "mail"
    text.split("\n", -1)[0...-1].map { |line| Mail::Address.new(line).then { |one| [one.display_name, one.address] } }
  end
end
puts JSON.generate(read)
