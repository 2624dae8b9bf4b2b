//! Photographs of the pages: a shop is protected, loses its orders, and gets them back.

use std::path::Path;

use anyhow::Context;
use oplogue_testkit::browser::Look;
use oplogue_testkit::{Browser, OplogueServer};
use serde_json::{Value, json};

use super::lose_slices;
use crate::demo::{Stage, protect, shop, wait_through};
use crate::shell::root;

const LOOK: Look = Look { width: 1440, dark: false };

struct Camera {
    server: OplogueServer,
    browser: Browser,
}

impl Camera {
    async fn go(&mut self, path: &str) -> anyhow::Result<()> {
        self.browser.goto(&format!("{}{path}", self.server.url())).await
    }

    /// Photographs what is to be seen as `docs/images/<name>.png`.
    async fn take(&mut self, name: &str) -> anyhow::Result<()> {
        let folder = root().join("docs/images");
        std::fs::create_dir_all(&folder)?;
        self.browser.photograph(LOOK, &folder.join(format!("{name}.png"))).await?;
        println!("docs/images/{name}.png");
        Ok(())
    }
}

pub async fn take(executable: &Path) -> anyhow::Result<()> {
    let stage = Stage::set_up().await?;
    shop::open(&stage.client).await?;
    let server = OplogueServer::start(executable, &["--refresh", "1s"]).await?;
    let mut camera = Camera { server, browser: Browser::start().await? };
    camera.server.sign_in(&mut camera.browser, "/").await?;
    camera.browser.wait_text("Overview", false).await?;
    camera.take("first-steps").await?;

    let protected = protect(&camera.server, &stage).await?;
    let begun = shop::a_sale(&stage.client).await?;
    for sale in 0..16 {
        // Half-way a second backup; then some slices are lost, so that there is a gap to show.
        let moment = shop::a_sale(&stage.client).await?;
        wait_through(&camera.server, &protected, moment).await?;
        if sale == 8 {
            lose_slices(&stage, "shop")?;
            let backup = json!({"name": "before-release", "service_id": protected.service_id, "location_id": protected.location_id});
            let taken = job(&camera.server.post("/backups", &backup).await?)?;
            camera.server.await_job(&taken).await?;
        }
    }
    shop::trade(&stage.client).await?;
    let dropped = shop::drop_orders(&stage.client).await?;
    shop::trade_without_orders(&stage.client).await?;
    wait_through(&camera.server, &protected, dropped).await?;
    for (path, name) in
        [("/", "overview"), ("/backups", "backups"), ("/schedules", "schedules"), ("/services", "services"), ("/locations", "locations")]
    {
        camera.go(path).await?;
        camera.take(name).await?;
    }
    camera.go("/schedules/new").await?;
    camera.browser.choose("mode", "pitr").await?;
    camera.take("create-pitr").await?;
    // The story takes a minute; a day of it would be a dot.
    let window = format!("from={}&to={}", begun.seconds - 3, dropped.seconds + 5);
    camera.go(&format!("/timeline?location_id={}&folder=shop&{window}", protected.location_id)).await?;
    camera.take("timeline").await?;

    let ask = format!(
        "/restore?location_id={}&folder=shop&kind=before&moment={}&namespaces=shop.orders&service_id={}&{window}",
        protected.location_id,
        dropped.to_string().replace(',', "%2C"),
        protected.service_id
    );
    camera.go(&ask).await?;
    camera.take("restore").await?;
    let mut wanted = protected.restore(dropped);
    wanted["namespaces"] = json!(["shop.orders"]);
    let plan = job(&camera.server.post("/restores/plans", &wanted).await?)?;
    camera.server.await_job(&plan).await?;
    camera.go(&format!("/restores/plans/{plan}")).await?;
    camera.take("plan").await?;
    let restore = job(&camera.server.post("/restores", &json!({"plan_job_id": plan, "confirm": "shop"})).await?)?;
    camera.server.await_job(&restore).await?;
    camera.go(&format!("/restores/{restore}")).await?;
    camera.take("proof").await?;
    camera.go("/jobs").await?;
    camera.take("jobs").await?;
    camera.go("/alerts/rules").await?;
    camera.take("alert-rules").await
}

fn job(answer: &Value) -> anyhow::Result<String> {
    answer["id"].as_str().map(str::to_owned).with_context(|| format!("a job was expected: {answer}"))
}
