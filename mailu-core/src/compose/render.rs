//! The template. Every scalar goes through one filter that quotes it for YAML and Compose.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};

use super::Compose;
use crate::error::{Error, ErrorKind};

/// Writes `compose` as YAML.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if the template is broken.
pub fn render(compose: &Compose, head: &str) -> Result<String, Error> {
    let failed = |error: minijinja::Error| {
        Error::new(
            ErrorKind::Internal,
            "compose.template",
            "render docker-compose.yml",
        )
        .source(error)
    };
    let mut environment = environment().map_err(failed)?;
    environment
        .add_template("compose", include_str!("docker-compose.yml.j2"))
        .map_err(failed)?;
    let template = environment.get_template("compose").map_err(failed)?;
    template
        .render(context! {
            head => head.lines().map(str::to_owned).collect::<Vec<_>>(),
            services => minijinja::value::Serde(&compose.services),
            networks => minijinja::value::Serde(&compose.networks),
        })
        .map_err(failed)
}

/// What templates of Compose files are rendered with.
pub(crate) fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()?,
    );
    environment.add_filter("q", |text: String| quote(&text, true));
    environment.add_filter("image", |text: String| quote(&text, false));
    Ok(environment)
}

/// A double-quoted YAML scalar. JSON's escapes are a subset of YAML 1.2's; `$` is doubled against Compose's interpolation,
/// except in images, which are checked when they are configured and refer to `.env`.
fn quote(text: &str, literal: bool) -> String {
    let text = if literal {
        text.replace('$', "$$")
    } else {
        text.to_owned()
    };
    serde_json::Value::String(text).to_string()
}
