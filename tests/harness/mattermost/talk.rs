//! What people and other programs write, beside commands and presses.

use serde_json::{Value, json};

use super::MattermostWorld;
use super::find::raw;
use super::posts::{keep_with, overwrite};
use super::seen::{Place, Seen};

impl MattermostWorld {
    /// Somebody writes a message; its id.
    pub fn write(&self, user: &str, channel: &str, text: &str) -> String {
        self.write_as(user, channel, json!({ "message": text }))
    }

    /// The same in the thread under a post.
    ///
    /// # Panics
    /// When it is no post.
    pub fn write_under(&self, user: &str, under: &Seen, text: &str) -> String {
        let Place::Post { channel, post_id } = &under.place else { panic!("no thread under:\n{under}") };
        self.write_as(user, channel, json!({ "message": text, "root_id": post_id }))
    }

    /// The same with more of a post than its text: `props`, `type`, `create_at`.
    pub fn write_as(&self, user: &str, channel: &str, content: Value) -> String {
        let mut state = self.state();
        let (user, channel) = (state.user_id(user), state.channel_id(channel));
        let with = ["type", "create_at"].into_iter().filter(|key| content.get(*key).is_some());
        let with: Vec<(&str, Value)> = with.map(|key| (key, content[key].clone())).collect();
        let post = keep_with(&mut state, &user, &channel, &content, raw(&content, "root_id"), &with);
        raw(&post, "id").to_owned()
    }

    /// Somebody writes in their conversation with the app.
    pub fn write_alone(&self, user: &str, text: &str) -> String {
        let direct = {
            let mut state = self.state();
            let ends = json!([state.bot(), state.user_id(user)]);
            let (_, channel) = super::posts::direct(&mut state, &ends).expect("a conversation");
            raw(&channel, "id").to_owned()
        };
        self.write_as(user, &direct, json!({ "message": text }))
    }

    /// Somebody edits a message.
    pub fn rewrite(&self, post: &str, text: &str) {
        let mut state = self.state();
        let mut content = state.posts[post].clone();
        content["message"] = json!(text);
        let post = overwrite(&mut state, post, content);
        let channel = raw(&post, "channel_id").to_owned();
        state.tell("post_edited", &channel, json!({ "post": post.to_string() }));
    }

    /// Somebody adds the app to a channel.
    pub fn add_bot(&self, by: &str, channel: &str) {
        let mut state = self.state();
        let (by, channel, bot) = (state.user_id(by), state.channel_id(channel), state.bot());
        state.channel(&channel).members.insert(bot.clone());
        state.tell("user_added", &channel, json!({ "user_id": bot, "team_id": super::people::id("nimbus") }));
        let added = json!({ "message": "sekoia added to the channel by alice.", "props": { "addedUserId": bot } });
        keep_with(&mut state, &by, &channel, &added, "", &[("type", json!("system_add_to_channel"))]);
    }
}
